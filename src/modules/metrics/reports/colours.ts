/** Of paper and screen alike; dark enough to be read in grey print. */
export const colours = {
  ink: '#14213d',
  soft: '#5b6780',
  line: '#cfd6e2',
  faint: '#e8ecf3',
  paper: '#ffffff',
  tint: '#f5f7fb',
  blue: '#2456c7',
  teal: '#0f9488',
  amber: '#d98c0b',
  red: '#c8323c',
  green: '#11804f',
} as const;

/** A metric has the same colour in every chart. */
export const chartColours: Record<string, string> = {
  production: colours.blue,
  collections: colours.teal,
  completed_appointments: colours.teal,
  cancelled_appointments: colours.amber,
  no_shows: colours.red,
  calls: colours.blue,
  connected_calls: colours.teal,
  voicemails: colours.amber,
};

export const verdictColours = {
  better: colours.green,
  worse: colours.red,
  same: colours.soft,
} as const;
