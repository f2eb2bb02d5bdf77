import type { FieldError } from '../../../kernel/errors/domain-error.js';
import type { Measures, MediaFacts } from './media-facts.js';
import { type ImageLimits, refused, type TypeLimits, type VideoLimits } from './publishing-limits.js';

const mebibyte = 1024 * 1024;

/** What one image or video has against the limits of its kind of post; `path` names the field that holds its address. */
export function refusedMedia(
  path: string,
  { kind, type, bytes, measures }: MediaFacts,
  limits: Pick<TypeLimits, 'image' | 'video'>,
): FieldError[] {
  const taken = limits[kind];
  if (!taken) return [refused(path, 'media-type', `This kind of post takes no ${kind}.`)];
  const errors: FieldError[] = [];
  if (!taken.types.includes(type))
    errors.push(refused(path, 'media-type', `It is ${type}; ${listed(taken)} is taken.`));
  if (bytes > taken.mostBytes)
    errors.push(refused(path, 'media-too-large', `It has more than ${taken.mostBytes / mebibyte} MiB.`));
  if (measures) errors.push(...refusedMeasures(path, measures, taken));
  return errors;
}

function refusedMeasures(path: string, { width, height, seconds }: Measures, taken: ImageLimits | VideoLimits) {
  const errors: FieldError[] = [];
  const { ratio } = taken;
  if (ratio && (width / height < ratio.least || width / height > ratio.most))
    errors.push(refused(path, 'media-ratio', `It is ${width} x ${height}, and has to be ${ratio.name}.`));
  if (seconds === undefined || !('mostSeconds' in taken)) return errors;
  const { leastSeconds, mostSeconds } = taken;
  // A header counts whole samples: what was cut to a minute may have a frame more.
  if (seconds < leastSeconds - frameSeconds || seconds > mostSeconds + frameSeconds)
    errors.push(
      refused(
        path,
        'media-duration',
        `It lasts ${seconds.toFixed(1)} s: ${leastSeconds} to ${mostSeconds} s are taken.`,
      ),
    );
  return errors;
}

const frameSeconds = 0.1;

const listed = ({ types }: { types: readonly string[] }): string => types.join(' or ');
