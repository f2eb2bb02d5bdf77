import { Injectable } from '@nestjs/common';
import type { FieldError } from '../../../kernel/errors/domain-error.js';
import { AccountNotConnected } from '../social.errors.js';
import { MediaCheck, type MediaRefusal } from './media-check.js';
import type { MediaFacts } from './media-facts.js';
import { refusedMedia } from './media-rules.js';
import type { PlannedPost } from './planned-post.js';
import { PostNotPublishable } from './posts.errors.js';
import { coverLimits, publishingLimits, refused, refusedFields } from './publishing-limits.js';
import type { Warning } from './scheduling.schemas.js';

/** What was learnt of a post that may be queued. */
export interface Readiness {
  childContentTypes: ('video' | 'image')[];
  durationSeconds: number | null;
  warnings: Warning[];
}

interface Medium {
  path: string;
  url: string;
}

/** Whether a post can be published as it is. Asks the servers of its media: never while a connection is held. */
@Injectable()
export class PostReadiness {
  constructor(private readonly media: MediaCheck) {}

  /** @throws PostNotPublishable naming every field, AccountNotConnected */
  async check(post: PlannedPost): Promise<Readiness> {
    if (post.accountStatus !== 'active') throw new AccountNotConnected();
    const media = mediaOf(post);
    const found = await Promise.all(media.map(({ url }) => this.media.inspect(url)));
    const errors = [
      ...refusedFields(post),
      ...media.flatMap((medium, index) => refusalsOf(post, medium, found[index])),
    ];
    if (errors.length > 0) throw new PostNotPublishable(undefined, { errors });
    const facts = found.filter(isKnown);
    return {
      childContentTypes: post.postType === 'carousel' ? facts.map(({ kind }) => kind) : [],
      durationSeconds: post.postType === 'carousel' ? null : (facts[0]?.measures?.seconds ?? null),
      warnings: [...unmeasured(media, facts), ...unshown(post)],
    };
  }
}

function mediaOf(post: PlannedPost): Medium[] {
  const { postType, children, contentUrl, thumbnailUrl } = post;
  if (postType === 'carousel') return children.map((url, index) => ({ path: `children.${index}`, url }));
  return [
    ...(contentUrl ? [{ path: 'contentUrl', url: contentUrl }] : []),
    ...(thumbnailUrl && showsCover(post) ? [{ path: coverPath, url: thumbnailUrl }] : []),
  ];
}

const coverPath = 'thumbnailUrl';

/** Where its thumbnail is handed over as the cover of a film; elsewhere it is shown in our own lists alone. */
function showsCover({ platform, postType, contentType }: PlannedPost): boolean {
  return platform === 'instagram' && contentType === 'video' && postType !== 'story';
}

function refusalsOf(post: PlannedPost, { path }: Medium, found: MediaFacts | MediaRefusal | undefined): FieldError[] {
  const limits = publishingLimits[post.platform][post.postType];
  if (!found || !limits) return [];
  if (!isKnown(found)) return [refused(path, found.code, found.message)];
  if (path === coverPath) return refusedMedia(path, found, coverLimits);
  if (post.postType !== 'carousel' && found.kind !== post.contentType)
    return [
      refused(path, 'media-type', `It is said to be ${article[post.contentType]}, and is ${article[found.kind]}.`),
    ];
  return refusedMedia(path, found, limits);
}

const isKnown = (found: MediaFacts | MediaRefusal): found is MediaFacts => 'kind' in found;

const article = { image: 'an image', video: 'a video' };

function unmeasured(media: readonly Medium[], facts: readonly MediaFacts[]): Warning[] {
  return facts.flatMap(({ measures, kind }, index) => {
    if (measures) return [];
    const what = kind === 'video' ? 'length and size' : 'size';
    const message = `The ${what} of ${media[index]?.path} could not be read from its header: the platform may refuse it.`;
    return [{ code: 'media-not-measured', message }];
  });
}

function unshown({ postType, caption, hashtags }: PlannedPost): Warning[] {
  if (postType !== 'story' || (caption === '' && hashtags.length === 0)) return [];
  return [{ code: 'caption-not-shown', message: 'A story shows neither caption nor hashtags.' }];
}
