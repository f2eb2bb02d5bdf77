/** What is known of an image or a video without fetching it whole. */
export interface MediaFacts {
  kind: 'image' | 'video';
  /** `image/jpeg`, by its first bytes where they tell, else as its server says. */
  type: string;
  bytes: number;
  /** Undefined where it could not be measured. */
  measures: Measures | undefined;
}

/** As it is shown: turned, where the camera was. */
export interface Measures {
  width: number;
  height: number;
  /** Of a video. */
  seconds?: number;
}

/** Bytes from `start` on, at least one unless the file ends there. */
export type ReadBytes = (start: number) => Promise<Buffer>;

const mostReads = 12;

/** Loaded with the first image that is measured. */
export async function measureImage(head: Buffer): Promise<Measures | undefined> {
  const { imageSize } = await import('image-size');
  try {
    const { width, height, orientation = 1 } = imageSize(head);
    return orientation >= 5 ? { width: height, height: width } : { width, height };
  } catch {
    return undefined;
  }
}

/** Follows the boxes of an MP4 or MOV (ISO/IEC 14496-12) to its header, which may stand at either end. */
export async function measureVideo(read: ReadBytes): Promise<Measures | undefined> {
  const { createFile, MP4BoxBuffer } = await import('mp4box');
  const file = createFile();
  let measures: Measures | undefined;
  file.onReady = (movie) => {
    measures = measuresOf(movie);
  };
  let position = 0;
  for (let reads = 0; reads < mostReads && measures === undefined; reads += 1) {
    const chunk = await read(position);
    if (chunk.length === 0) break;
    const bytes = new Uint8Array(chunk).buffer;
    const next = file.appendBuffer(MP4BoxBuffer.fromArrayBuffer(bytes, position));
    if (next === undefined || next <= position) break;
    position = next;
  }
  return measures;
}

type Movie = Parameters<NonNullable<ReturnType<typeof import('mp4box').createFile>['onReady']>>[0];

function measuresOf(movie: Movie): Measures | undefined {
  const [track] = movie.videoTracks;
  if (!track) return undefined;
  const { num, den } = movie.fragment_duration ?? { num: movie.duration, den: movie.timescale };
  const seconds = den > 0 && num > 0 ? num / den : track.duration / track.timescale;
  const { track_width: width, track_height: height } = track;
  // The first cell of the matrix is the cosine of its turn: 0 at a quarter, as telephones write upright films.
  const isTurned = track.matrix[0] === 0;
  const size = isTurned ? { width: height, height: width } : { width, height };
  return Number.isFinite(seconds) && seconds > 0 ? { ...size, seconds } : undefined;
}
