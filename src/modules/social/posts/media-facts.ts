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

/** Bytes from `start` on; none where the file ends, or its server gives no parts. */
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
  const { createFile, Log, MP4BoxBuffer } = await import('mp4box');
  // It would print what it finds amiss, in the words of a stranger's file.
  Log.error = () => undefined;
  const file = createFile();
  // Where each picture lies does not matter here, and a hostile table of them would fill the memory.
  file.sampleListBuilt = true;
  let position = 0;
  for (let reads = 0; reads < mostReads && !file.moov; reads += 1) {
    const chunk = await read(position);
    if (chunk.length === 0) return undefined;
    const end = position + chunk.length;
    try {
      const next = file.appendBuffer(MP4BoxBuffer.fromArrayBuffer(new Uint8Array(chunk).buffer, position));
      // A box that goes on is read on; one that does not matter is passed over.
      position = next !== undefined && next > end ? next : end;
    } catch {
      return undefined;
    }
  }
  return file.moov && measuresOf(file.moov);
}

type MovieBox = ReturnType<typeof import('mp4box').createFile>['moov'];

function measuresOf({ mvhd, mvex, traks = [] }: MovieBox): Measures | undefined {
  const track = traks.find(({ mdia, tkhd }) => mdia?.hdlr?.handler === 'vide' && tkhd);
  if (!mvhd || !track) return undefined;
  // Of a film in fragments the header has no length but this one.
  const seconds = (mvhd.duration || mvex?.mehd?.fragment_duration || 0) / mvhd.timescale;
  const [width, height] = [track.tkhd.width / fixedPoint, track.tkhd.height / fixedPoint];
  // The first cell of the matrix is the cosine of its turn: 0 at a quarter, as telephones write upright films.
  const size = track.tkhd.matrix[0] === 0 ? { width: height, height: width } : { width, height };
  return seconds > 0 && Number.isFinite(seconds) && width > 0 && height > 0 ? { ...size, seconds } : undefined;
}

/** 16.16 */
const fixedPoint = 0x10000;
