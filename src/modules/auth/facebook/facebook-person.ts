import { Email } from '../../../kernel/http/primitives.js';

/** Who somebody is at Facebook: the id is for our app alone (app-scoped), the rest is what they let us see. */
export interface FacebookPerson {
  facebookUserId: string;
  email: string | null;
  firstName: string;
  lastName: string;
}

interface Profile {
  id: string;
  name: string | null;
  firstName: string | null;
  lastName: string | null;
  email: string | null;
}

/** In the form that an account needs. An address that we could not write to counts as none. */
export function personOf({ id, name, firstName, lastName, email }: Profile): FacebookPerson {
  return {
    facebookUserId: id,
    email: Email.safeParse(email).data ?? null,
    firstName: line(firstName ?? name),
    lastName: line(lastName),
  };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it removes
const controlCharacters = /[\u0000-\u001f\u007f]/g;

const line = (text: string | null): string =>
  [...(text ?? '').replace(controlCharacters, '').trim()].slice(0, 200).join('');
