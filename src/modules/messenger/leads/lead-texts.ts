import { z } from 'zod';
import { lengthOfText, longestText } from '../../../integrations/meta/meta-messaging.js';

/** Texts of people, of several lines. */
const Text = z
  .string()
  .trim()
  .min(1)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses
  .regex(/^[^\u0000-\u0009\u000b-\u001f\u007f]*$/, 'holds control characters');

/** Below a comment. Meta does not say how long it may be; a caption has 2,200 characters. */
export const PublicReplyText = Text.max(2_200);

/** A message on Instagram. */
export const PrivateReplyText = Text.refine(
  (text) => lengthOfText('instagram', text) <= longestText.instagram,
  `is longer than ${longestText.instagram} bytes of UTF-8`,
).meta({ description: `At most ${longestText.instagram} bytes of UTF-8.` });
