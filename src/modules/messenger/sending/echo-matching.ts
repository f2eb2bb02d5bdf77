/** A message of ours whose call has begun, and of which Meta's id is not known. */
export interface Unsettled {
  id: string;
  startedAt: Date;
  text: string | null;
  /** Of what it carries, in order. */
  attachmentTypes: string[];
}

export interface Told {
  at: Date;
  text: string | null;
  attachmentTypes: string[];
}

/** Meta's clock and ours differ. */
const clockSlackMs = 60_000;
/** Later than that a call is not carried out any more: the same words were written by somebody else. */
const longestCallMs = 15 * 60_000;

/**
 * Which of the unsettled messages of a conversation an echo is about that names none: one that says the same, begun before
 * and closest to the platform's time. Of two that say the same it may be the wrong one, which is the other's loss alone:
 * what stands there stands there once.
 */
export function matching(told: Told, unsettled: readonly Unsettled[]): Unsettled | undefined {
  const [closest] = unsettled
    .filter((each) => saysTheSame(told, each) && isInTime(told, each))
    .sort((a, b) => distance(told, a) - distance(told, b));
  return closest;
}

/** Files are kept by Meta under another address: only their kinds can be compared. */
function saysTheSame(told: Told, { text, attachmentTypes }: Unsettled): boolean {
  if (text !== null) return plain(told.text) === plain(text);
  return told.text === null && attachmentTypes.join() === told.attachmentTypes.join();
}

const plain = (text: string | null): string | undefined => text?.normalize('NFC').trim();

function isInTime({ at }: Told, { startedAt }: Unsettled): boolean {
  const lateMs = at.getTime() - startedAt.getTime();
  return lateMs >= -clockSlackMs && lateMs <= longestCallMs;
}

/** One that began afterwards can only be meant where the clocks differ: it comes last. */
function distance({ at }: Told, { startedAt }: Unsettled): number {
  const lateMs = at.getTime() - startedAt.getTime();
  return lateMs >= 0 ? lateMs : longestCallMs - lateMs;
}
