import { Refusal } from './api.js';

/** The parts of the page, and what becomes of a refusal. */

export const find = (id) => document.getElementById(id);
export const show = (id, isShown = true) => {
  find(id).hidden = !isShown;
};

/** Texts go in as texts: a caption or a message is never markup. */
export function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Runs what somebody asked for, and shows why it was refused. */
export async function attempt(work) {
  show('problem', false);
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    find('problem').textContent = error.message;
    find('problem').dataset.code = error.code;
    show('problem');
  }
}
