import { Injectable } from '@nestjs/common';
import { MetaPages, type PagePost } from '../../../integrations/meta/meta-pages.js';
import { publishedText } from '../posts/post-text.js';
import { PublishOnce } from './publish-once.js';
import { hasFreshContainer, outcomeUnknown, type PublishingOutcome } from './publishing-outcome.js';
import { PublishingStore } from './publishing-store.js';
import type { PublishingTask } from './publishing-task.js';

/** Clocks differ, and Meta's times have no fractions. */
const clockSlackMs = 120_000;

/**
 * Publishes on a page of Facebook, which knows no containers: the call that publishes is the first one, and a second one
 * would publish again. What became of a call without an answer is read from the page, and where the page does not tell
 * the post ends as `outcome-unknown`.
 */
@Injectable()
export class FacebookPublisher {
  constructor(
    private readonly pages: MetaPages,
    private readonly store: PublishingStore,
    private readonly once: PublishOnce,
  ) {}

  async publish(task: PublishingTask, token: string): Promise<PublishingOutcome> {
    if (task.publishStartedAt) return this.find(task, token, task.publishStartedAt);
    const unsupported = whyNot(task);
    if (unsupported) return { kind: 'failed', code: 'post-type-not-supported', message: unsupported };
    if (task.postType === 'carousel') await this.uploadPhotos(task, token);
    return this.once.publish(task, () => this.send(task, token));
  }

  permalink(token: string, objectId: string): Promise<string | null> {
    return this.pages.permalink(token, objectId);
  }

  /** Nobody sees them until they hang on a post. */
  private async uploadPhotos(task: PublishingTask, token: string): Promise<void> {
    if (!hasFreshContainer(task)) Object.assign(task, { childContainers: [], containerCreatedAt: null });
    for (const url of task.children.slice(task.childContainers.length)) {
      const { id } = await this.pages.uploadPhoto(token, task.platformAccountId, { url });
      task.childContainers = [...task.childContainers, id];
      task.containerCreatedAt ??= new Date();
      await this.store.noteContainers(task);
    }
  }

  private async send(task: PublishingTask, token: string): Promise<string> {
    const { platformAccountId: page, contentUrl, contentType, childContainers } = task;
    const text = publishedText(task);
    if (task.postType === 'carousel')
      return (await this.pages.publishAlbum(token, page, { message: text, photoIds: childContainers })).id;
    if (!contentUrl) return (await this.pages.publishFeed(token, page, { message: text })).id;
    if (contentType === 'video')
      return (await this.pages.publishVideo(token, page, { fileUrl: contentUrl, description: text })).id;
    const { id, postId } = await this.pages.publishPhoto(token, page, { url: contentUrl, caption: text });
    return postId ?? id;
  }

  /** A clinic's own words cannot be marked, so that it is known by them and by its time. */
  private async find(task: PublishingTask, token: string, begun: Date): Promise<PublishingOutcome> {
    const text = publishedText(task).trim();
    if (text === '') return outcomeUnknown('No answer came, and without a text it cannot be recognised on the page.');
    const since = new Date(begun.getTime() - clockSlackMs);
    const posts = await this.pages.recentPosts(token, task.platformAccountId, since);
    const same = posts.filter(({ message }) => (message ?? '').trim() === text);
    return this.once.record(task, same.sort(asPublished(task)));
  }
}

/** A video stands on the page twice, as itself and as the post that shows it, whose id names the page too. */
function asPublished({ contentType, contentUrl }: PublishingTask): (a: PagePost, b: PagePost) => number {
  const isVideo = contentType === 'video' && contentUrl !== null;
  const fits = ({ id }: PagePost) => Number(id.includes('_') !== isVideo);
  return (a, b) => fits(b) - fits(a) || a.createdAt.getTime() - b.createdAt.getTime();
}

function whyNot({ postType, childContentTypes }: PublishingTask): string | undefined {
  if (postType === 'story') return 'Stories are published on Instagram only.';
  if (postType === 'carousel' && childContentTypes.includes('video'))
    return 'On a page of Facebook only images stand side by side.';
  return undefined;
}
