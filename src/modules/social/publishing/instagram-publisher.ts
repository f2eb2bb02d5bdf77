import { Injectable } from '@nestjs/common';
import { MetaFailure } from '../../../integrations/meta/meta-failure.js';
import {
  type Container,
  type ContainerStatus,
  type InstagramMedia,
  MetaInstagram,
} from '../../../integrations/meta/meta-instagram.js';
import { publishedText } from '../posts/post-text.js';
import { publishingLimitReached } from './failed-call.js';
import { PublishOnce } from './publish-once.js';
import {
  hasFreshContainer,
  lookAgain,
  outcomeUnknown,
  type PublishingOutcome,
  waitForContainer,
} from './publishing-outcome.js';
import { PublishingStore } from './publishing-store.js';
import type { PublishingTask } from './publishing-task.js';

/** Clocks differ, and Meta's times have no fractions. */
const clockSlackMs = 120_000;

/**
 * Publishes on Instagram: a container is made of the post, is fetched and checked by Meta, and is then published by one
 * call. A container can be published once only, so that the same one may be tried again where the outcome is unknown.
 */
@Injectable()
export class InstagramPublisher {
  constructor(
    private readonly instagram: MetaInstagram,
    private readonly store: PublishingStore,
    private readonly once: PublishOnce,
  ) {}

  async publish(task: PublishingTask, token: string): Promise<PublishingOutcome> {
    if (task.publishStartedAt) return this.resolve(task, token);
    if (!hasFreshContainer(task)) {
      // One that was asked for and not ready in all its life ends like an expired one, or it would be made anew for ever.
      if (task.containerCreatedAt && task.containerChecks > 0) return this.waitOrStartOver(task, goneContainer);
      forgetContainers(task);
    }
    if (await this.isLimitReached(task, token)) return publishingLimitReached();
    const unready = await this.prepare(task, token);
    if (unready) return unready;
    const { containerId } = task;
    if (!containerId) throw new Error('A prepared post has a container.');
    const container = (await this.stateOf(token, containerId)) ?? goneContainer;
    if (container.status === 'FINISHED') return this.publishContainer(task, token, containerId);
    if (container.status === 'PUBLISHED') return this.find(task, token);
    return this.waitOrStartOver(task, container);
  }

  async permalink(token: string, mediaId: string): Promise<string | null> {
    return (await this.instagram.permalink(token, mediaId)).permalink;
  }

  /** Never assumed: how many an account may publish in a day has changed before. */
  private async isLimitReached({ platformAccountId }: PublishingTask, token: string): Promise<boolean> {
    const { used, total } = await this.instagram.publishingLimit(token, platformAccountId);
    return used >= total;
  }

  /** Makes what is missing of the containers. @returns why it cannot go on now, if so */
  private async prepare(task: PublishingTask, token: string): Promise<PublishingOutcome | undefined> {
    if (task.containerId) return undefined;
    if (task.postType === 'carousel') {
      await this.prepareChildren(task, token);
      for (const child of task.childContainers) {
        const container = (await this.stateOf(token, child)) ?? goneContainer;
        if (container.status !== 'FINISHED') return this.waitOrStartOver(task, container);
      }
    }
    task.containerId = await this.create(task, token, containerOf(task));
    await this.store.noteContainers(task);
    return undefined;
  }

  private async prepareChildren(task: PublishingTask, token: string): Promise<void> {
    for (const [index, url] of task.children.entries()) {
      if (index < task.childContainers.length) continue;
      const isVideo = task.childContentTypes[index] === 'video';
      const medium = isVideo ? { videoUrl: url } : { imageUrl: url };
      const child = await this.create(task, token, { kind: 'carousel-item', ...medium });
      task.childContainers = [...task.childContainers, child];
      await this.store.noteContainers(task);
    }
  }

  private async create(task: PublishingTask, token: string, container: Container): Promise<string> {
    const { id } = await this.instagram.createContainer(token, task.platformAccountId, container);
    // A carousel is as old as its first child: they end one after the other.
    task.containerCreatedAt ??= new Date();
    return id;
  }

  private publishContainer(task: PublishingTask, token: string, containerId: string): Promise<PublishingOutcome> {
    return this.once.publish(task, async () => {
      const { id } = await this.instagram.publish(token, task.platformAccountId, containerId);
      return id;
    });
  }

  private waitOrStartOver(task: PublishingTask, { status, detail }: ContainerStatus): PublishingOutcome {
    if (status === 'IN_PROGRESS') return waitForContainer(task);
    if (status !== 'EXPIRED' || task.retryCount >= task.maxRetries) return mediumRefused(detail);
    forgetContainers(task);
    return { kind: 'waits', reason: 'container', seconds: 1, countsAsRetry: true };
  }

  /** An earlier call may have published it. The container knows; once it is gone, what stands on the account does. */
  private async resolve(task: PublishingTask, token: string): Promise<PublishingOutcome> {
    const { containerId } = task;
    if (!containerId) return outcomeUnknown('It is not known what was handed to Instagram.');
    const container = await this.stateOf(token, containerId);
    switch (container?.status) {
      case 'FINISHED':
        return this.publishContainer(task, token, containerId);
      case 'PUBLISHED':
        return this.find(task, token);
      case 'IN_PROGRESS':
        return lookAgain(task, 'Instagram does not say what became of it.');
      case 'EXPIRED':
      case 'ERROR':
        return this.findOrStartOver(task, token, container);
      default:
        return this.find(task, token);
    }
  }

  private async findOrStartOver(
    task: PublishingTask,
    token: string,
    container: ContainerStatus,
  ): Promise<PublishingOutcome> {
    const found = await this.find(task, token);
    if (found.kind === 'published') return found;
    // In Meta's words both have never been published.
    task.publishStartedAt = null;
    return this.waitOrStartOver(task, container);
  }

  /** Undefined for a container that Meta does not know any more. */
  private async stateOf(token: string, containerId: string): Promise<ContainerStatus | undefined> {
    try {
      return await this.instagram.containerStatus(token, containerId);
    } catch (error) {
      if (error instanceof MetaFailure && error.kind === 'not-found') return undefined;
      throw error;
    }
  }

  private async find(task: PublishingTask, token: string): Promise<PublishingOutcome> {
    const begun = task.publishStartedAt ?? task.containerCreatedAt ?? new Date();
    const since = new Date(begun.getTime() - clockSlackMs);
    const media = await this.instagram.recentMedia(token, task.platformAccountId, since);
    const candidates = media.filter((medium) => isOf(task, medium));
    return this.once.record(
      task,
      candidates.sort((a, b) => a.timestamp.getTime() - b.timestamp.getTime()),
    );
  }
}

/** A story has no text. */
function isOf(task: PublishingTask, { caption, productType }: InstagramMedia): boolean {
  const isStory = productType === 'STORY';
  if (task.postType === 'story' || isStory) return isStory && task.postType === 'story';
  return (caption ?? '').trim() === publishedText(task).trim();
}

function containerOf(task: PublishingTask): Container {
  const described = { caption: publishedText(task), locationId: task.locationId ?? undefined };
  if (task.postType === 'carousel') return { kind: 'carousel', children: task.childContainers, ...described };
  const url = task.contentUrl ?? '';
  const isVideo = task.contentType === 'video';
  if (task.postType === 'story') return { kind: 'story', ...(isVideo ? { videoUrl: url } : { imageUrl: url }) };
  if (!isVideo) return { kind: 'image', imageUrl: url, ...described };
  const cover = { coverUrl: task.thumbnailUrl ?? undefined };
  if (task.postType === 'reel')
    return { kind: 'reel', videoUrl: url, shareToFeed: task.shareToFeed, ...cover, ...described };
  return { kind: 'video', videoUrl: url, ...cover, ...described };
}

/** What Meta does not know any more cannot be published, and is made again. */
const goneContainer: ContainerStatus = { status: 'EXPIRED', detail: null };

function forgetContainers(task: PublishingTask): void {
  task.containerId = null;
  task.childContainers = [];
  task.containerCreatedAt = null;
}

/** Of Meta's words only the number is kept. */
function mediumRefused(detail: string | null): PublishingOutcome {
  const [, number] = /error code (\d+)/i.exec(detail ?? '') ?? [];
  const message = `Instagram could not use the medium${number ? ` (error ${number})` : ''}.`;
  return { kind: 'failed', code: 'media-refused', message };
}
