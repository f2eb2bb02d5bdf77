import { Injectable } from '@nestjs/common';
import type { MediaInsights } from '../../../integrations/meta/measured-kinds.js';
import { MetaFailure, type MetaFailureKind } from '../../../integrations/meta/meta-failure.js';
import { MetaInsights } from '../../../integrations/meta/meta-insights.js';
import { SocialTokens } from '../accounts/social-tokens.js';
import { AnalyticsStore, type Finding } from './analytics-store.js';
import { type DuePost, measuredObject } from './measured-posts.js';

type Answer = MediaInsights | MetaFailure;

/** Reads what Meta counts of an account's posts, batch after batch, with no transaction open while Meta answers. */
@Injectable()
export class AnalyticsSync {
  constructor(
    private readonly store: AnalyticsStore,
    private readonly tokens: SocialTokens,
    private readonly insights: MetaInsights,
  ) {}

  /**
   * What a batch gave is recorded before the next one is asked: a run that is cut off goes on where it stopped.
   *
   * @throws MetaFailure that concerns the whole account, after what was learnt before it is recorded
   */
  async run(accountId: string): Promise<void> {
    let posts = await this.store.duePosts(accountId, undefined);
    if (posts.length === 0) return;
    while (posts.length > 0) {
      const { answers, failure } = await this.ask(accountId, posts);
      await this.store.record(findingsOf(posts, answers));
      if (failure) throw failure;
      posts = await this.store.duePosts(accountId, posts.at(-1));
    }
    await this.store.finish(accountId);
  }

  private async ask(accountId: string, posts: DuePost[]): Promise<{ answers: Answer[]; failure?: MetaFailure }> {
    let answers: Answer[] = [];
    try {
      await this.tokens.withToken(accountId, async (token) => {
        answers = await this.insights.read(token, posts.map(measuredObject));
        // Said within an answer, it is as true as if it were the answer: the holder of the token has to hear it.
        const failure = failureOfAccount(answers);
        if (failure) throw failure;
      });
      return { answers };
    } catch (failure) {
      if (!(failure instanceof MetaFailure)) throw failure;
      return { answers, failure };
    }
  }
}

/** What one post meets with, all others of the account do. */
const concerningAll: readonly MetaFailureKind[] = ['token-invalid', 'rate-limited', 'not-configured'];

/**
 * Meta is away when it answers nothing at all. A permission that is missing concerns its post alone: Meta says the same
 * (code 10) of a story that too few have seen.
 */
function failureOfAccount(answers: readonly Answer[]): MetaFailure | undefined {
  const failures = answers.filter((answer) => answer instanceof MetaFailure);
  const isAway = failures.length === answers.length && failures.every(({ kind }) => kind === 'unavailable');
  if (isAway) return failures[0];
  return concerningAll.map((kind) => failures.find((failure) => failure.kind === kind)).find(Boolean);
}

function findingsOf(posts: readonly DuePost[], answers: readonly Answer[]): Finding[] {
  const showsAny = answers.some((answer) => !(answer instanceof MetaFailure));
  return posts.flatMap<Finding>((post, index) => {
    const answer = answers[index];
    if (!answer || (answer instanceof MetaFailure && !isFinal(answer))) return [];
    if (isGone(post, answer, showsAny)) return [{ post, counts: 'gone' }];
    return [{ post, counts: answer instanceof MetaFailure ? 'none' : answer }];
  });
}

/**
 * Meta answers the same for a post that was deleted there and for one that it does not show us: that one is gone is
 * believed when others of the account are shown at the same time.
 */
function isGone({ isPastStory }: DuePost, answer: Answer, showsAny: boolean): boolean {
  if (answer instanceof MetaFailure) return isPastStory || (showsAny && answer.kind === 'not-found');
  return isPastStory && answer.reach === 0 && answer.impressions === 0;
}

/** Whether asking again soon would be answered the same: the post's turn is over then. */
function isFinal({ kind }: MetaFailure): boolean {
  return kind === 'not-found' || kind === 'refused' || kind === 'permission-missing';
}
