import { defineProblem } from '../../../kernel/errors/domain-error.js';

export const TooManyDashboards = defineProblem({
  code: 'too-many-dashboards',
  status: 409,
  title: 'No more dashboards',
  meaning: 'A person can have 50 dashboards in a clinic. Delete one first.',
});
export const TooManyWidgets = defineProblem({
  code: 'too-many-widgets',
  status: 409,
  title: 'No more widgets',
  meaning: 'A dashboard can have 50 widgets. Delete one first.',
});
export const NotYourDashboard = defineProblem({
  code: 'not-your-dashboard',
  status: 403,
  title: 'Somebody else’s dashboard',
  meaning: 'A dashboard that is shared with the clinic can be read by its members, and changed by its owner alone.',
});
export const DashboardNotShared = defineProblem({
  code: 'dashboard-not-shared',
  status: 422,
  title: 'The dashboard is not shared',
  meaning: 'Only a dashboard that is shared with the clinic can be its default: nobody else could see another.',
});
