import { z } from 'zod';
import { type GraphClient, graphPath } from './graph-client.js';
import { failureIn } from './graph-errors.js';
import {
  countsOf,
  hasTooFewViewers,
  type MeasuredKind,
  type MediaInsights,
  noCounts,
  questions,
} from './measured-kinds.js';
import { MetaFailure } from './meta-failure.js';

export interface MeasuredObject {
  id: string;
  kind: MeasuredKind;
}

/** https://developers.facebook.com/docs/graph-api/batch-requests: at most fifty requests. */
const mostOfBatch = 50;

/** Null stands for a request that Meta did not come to in time. */
const Batch = z.array(z.object({ code: z.number(), body: z.string() }).nullable());

/** How often publications were seen, liked and passed on. */
export class MetaInsights {
  constructor(private readonly graph: GraphClient) {}

  /**
   * Asks for many objects of one account at once, fifty to a call; Meta counts each of them all the same.
   *
   * Answers one entry for each object, in their order: what is wrong with one does not spoil the others. Once a whole
   * call fails, so do its fifty, and the next ones are tried nevertheless.
   */
  async read(token: string, objects: readonly MeasuredObject[]): Promise<(MediaInsights | MetaFailure)[]> {
    const answers: (MediaInsights | MetaFailure)[] = [];
    for (let first = 0; first < objects.length; first += mostOfBatch)
      answers.push(...(await this.readBatch(token, objects.slice(first, first + mostOfBatch))));
    return answers;
  }

  private async readBatch(token: string, objects: MeasuredObject[]): Promise<(MediaInsights | MetaFailure)[]> {
    const batch = objects.map(({ id, kind }) => ({ method: 'GET', relative_url: questionOf(id, kind) }));
    const family = objects.some(({ kind }) => kind.startsWith('page')) ? 'pages' : 'instagram';
    try {
      const answers = await this.graph.ask(
        { path: '', family, token, parameters: { batch: JSON.stringify(batch), include_headers: 'false' } },
        Batch,
      );
      return objects.map(({ kind }, index) => readAnswer(kind, answers[index]));
    } catch (error) {
      if (error instanceof MetaFailure) return objects.map(() => error);
      throw error;
    }
  }
}

function questionOf(id: string, kind: MeasuredKind): string {
  const { edge, query } = questions[kind];
  return `${edge === undefined ? graphPath(id) : graphPath(id, edge)}?${new URLSearchParams(query)}`;
}

function readAnswer(
  kind: MeasuredKind,
  answer: z.infer<typeof Batch>[number] | undefined,
): MediaInsights | MetaFailure {
  if (!answer) return new MetaFailure('unavailable');
  const body = jsonOf(answer.body);
  if (kind === 'instagram-story' && hasTooFewViewers(body)) return noCounts;
  const failure = failureIn({ status: answer.code, body }, { isWrite: false, retryAfter: undefined });
  return failure ?? countsOf(kind, body) ?? new MetaFailure('unavailable');
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
