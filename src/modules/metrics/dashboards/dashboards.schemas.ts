import { z } from 'zod';
import { pageOf, pageQuery } from '../../../kernel/http/page.js';
import { Line, Timestamp, Uuid } from '../../../kernel/http/primitives.js';
import { Widget } from './widgets.schemas.js';

/** The grid is twelve columns wide and as long as it needs to be. */
const gridColumns = 12;

const Placement = z
  .strictObject({
    widgetId: Uuid,
    x: z
      .int()
      .min(0)
      .max(gridColumns - 1),
    y: z.int().min(0).max(999),
    width: z.int().min(1).max(gridColumns),
    height: z.int().min(1).max(50),
  })
  .refine(({ x, width }) => x + width <= gridColumns, 'reaches beyond the twelve columns')
  .meta({ id: 'Placement', description: 'Columns and rows that a widget takes, counted from 0.' });
type Placement = z.infer<typeof Placement>;

/** Each widget at most once, and none upon another. Widgets that are not placed stand below the others. */
export const Layout = z
  .strictObject({ placements: z.array(Placement).max(50) })
  .superRefine(({ placements }, context) => {
    placements.forEach((placement, index) => {
      const clash = placements.slice(0, index).findIndex((other) => isClash(placement, other));
      if (clash >= 0) {
        const message = `is the same widget as placement ${clash}, or stands upon it`;
        context.addIssue({ code: 'custom', path: ['placements', index], message });
      }
    });
  })
  .meta({ id: 'Layout' });
export type Layout = z.infer<typeof Layout>;

function isClash(one: Placement, other: Placement): boolean {
  if (one.widgetId === other.widgetId) return true;
  const isBeside = one.x + one.width <= other.x || other.x + other.width <= one.x;
  const isAbove = one.y + one.height <= other.y || other.y + other.height <= one.y;
  return !isBeside && !isAbove;
}

const DashboardSummary = z
  .object({
    id: Uuid,
    clinicId: Uuid,
    userId: Uuid.meta({ description: 'Whose it is.' }),
    name: z.string(),
    isShared: z.boolean(),
    isDefault: z.boolean().meta({ description: 'The one that its owner sees first.' }),
    isClinicDefault: z.boolean().meta({ description: 'The one that members see who have chosen none.' }),
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({ id: 'DashboardSummary' });
export type DashboardSummary = z.input<typeof DashboardSummary>;

export const Dashboard = DashboardSummary.extend({ layout: Layout, widgets: z.array(Widget) }).meta({
  id: 'Dashboard',
});
export type Dashboard = z.input<typeof Dashboard>;

/** Of which the ETag is made: what a clinic_admin decides of it is part of what is read, though not of the row. */
export const dashboardVersion = ({ updatedAt, isClinicDefault }: { updatedAt: string; isClinicDefault: boolean }) =>
  `${updatedAt} ${isClinicDefault}`;

export const Dashboards = pageOf(DashboardSummary, 'Dashboards');
export type Dashboards = z.input<typeof Dashboards>;
export const DashboardsQuery = pageQuery.extend({
  whose: z.enum(['own', 'shared']).optional().meta({ description: 'Own ones, or those that others share.' }),
});
export type DashboardsQuery = z.infer<typeof DashboardsQuery>;

export const DashboardChanges = z
  .strictObject({
    name: Line,
    layout: Layout,
    isShared: z.boolean().meta({ description: 'Whether every member of the clinic can read it.' }),
    isDefault: z.boolean().meta({ description: 'Takes the place of the former default.' }),
  })
  .partial()
  .meta({ id: 'DashboardChanges' });
export type DashboardChanges = z.infer<typeof DashboardChanges>;

export const NewDashboard = DashboardChanges.omit({ layout: true })
  .required({ name: true })
  .meta({ id: 'NewDashboard', description: 'It begins empty; its layout is set once it has widgets.' });
export type NewDashboard = z.infer<typeof NewDashboard>;

export const ClinicDefault = z.strictObject({ dashboardId: Uuid }).meta({ id: 'ClinicDefault' });
export type ClinicDefault = z.infer<typeof ClinicDefault>;
