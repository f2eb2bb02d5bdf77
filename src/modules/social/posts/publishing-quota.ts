import { Injectable } from '@nestjs/common';
import type { PlannedPost } from './planned-post.js';
import type { PublishingLimit, Warning } from './scheduling.schemas.js';

@Injectable()
export class PublishingQuota {
  async of(_post: PlannedPost): Promise<PublishingLimit | null> {
    return null;
  }

  warnings(limit: PublishingLimit | null): Warning[] {
    if (!limit || limit.used < limit.total) return [];
    const message = `Instagram takes ${limit.total} posts in ${limit.windowSeconds / 3_600} hours, and has ${limit.used}: it waits for its turn.`;
    return [{ code: 'publishing-limit-reached', message }];
  }
}
