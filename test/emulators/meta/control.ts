import type { RecordedCall } from './call.ts';
import { deliverSignedRequest, signedRequest } from './callbacks.ts';
import type { Container, Pace } from './containers.ts';
import type { Counts } from './content.ts';
import type { Fault, Faults } from './faults.ts';
import { messagingControls } from './messaging-controls.ts';
import type { MetaState, Usage } from './meta-state.ts';
import { type App, issuedTokens } from './tokens.ts';
import type { GivenPage, GivenPerson } from './world.ts';

/** What a test pulls: `POST /_control/<name>` with JSON, `GET` with a query where nothing changes. */

interface Stage {
  state: MetaState;
  faults: Faults;
  calls: RecordedCall[];
  /** What every call of the Graph API takes. */
  latencyMs: number;
  reset(): void;
}

type Given = Record<string, unknown>;

export async function control(stage: Stage, route: string, query: URLSearchParams, body: string): Promise<unknown> {
  const act = controls[route];
  if (!act) throw new Error(`There is no control ${route}.`);
  const given = body === '' ? Object.fromEntries(query) : (JSON.parse(body) as Given);
  return (await act(stage, given)) ?? {};
}

const controls: Record<string, (stage: Stage, given: Given) => unknown> = {
  'POST reset': (stage) => stage.reset(),
  'POST app': ({ state }, given) => void Object.assign(state.tokens.app, given as Partial<App>),
  'GET people': ({ state }) => [...state.world.people.values()],
  'POST people': ({ state }, given) => ({ id: state.world.addPerson(given as unknown as GivenPerson).id }),
  'GET pages': ({ state }) => [...state.world.pages.values()],
  'POST pages': ({ state }, given) => {
    const { id, instagramId } = state.world.addPage(given as unknown as GivenPage);
    return { id, instagramId: instagramId ?? null };
  },
  'POST pages/leave': ({ state }, { pageId, personId }) => {
    const page = state.world.page(String(pageId));
    page.personIds = page.personIds.filter((id) => id !== personId);
  },
  'POST faults': ({ faults }, given) => faults.add(given as unknown as Fault),
  'POST faults/clear': ({ faults }) => faults.clear(),
  'POST latency': (stage, { ms = stage.latencyMs, listLagMs = stage.state.world.listLagMs }) => {
    stage.latencyMs = Number(ms);
    stage.state.world.listLagMs = Number(listLagMs);
  },
  'POST clock': ({ state }, { offsetSeconds }) => {
    state.world.offsetMs = Number(offsetSeconds) * 1000;
  },
  'POST containers': ({ state }, given) => void Object.assign(state.containers.pace, given as Partial<Pace>),
  'POST limit': ({ state }, { instagramId, ...limit }) =>
    void Object.assign(state.world.instagram.get(String(instagramId))?.limit ?? {}, limit),
  'POST usage': ({ state }, { objectId = '', ...usage }) =>
    void state.usage.set(String(objectId), { callCount: 1, totalTime: 1, minutes: 0, ...(usage as Partial<Usage>) }),
  'POST insights': ({ state }, { objectId, ...counts }) =>
    state.content.setCounts(String(objectId), counts as Partial<Counts>),
  'POST tokens/issue': ({ state }, { personId, scopes = [], pageIds = [], seconds = 3600, appId }) => {
    const asked = { scopes: scopes as string[], pageIds: pageIds as string[], appId: appId as string | undefined };
    return { token: state.tokens.hand({ ...asked, personId: String(personId), seconds: Number(seconds) }).value };
  },
  'POST tokens/expire': ({ state }, { personId }) => state.tokens.expire(personId as string | undefined),
  'POST tokens/end-in': ({ state }, { personId, seconds }) => state.tokens.endIn(String(personId), Number(seconds)),
  'POST tokens/revoke': ({ state }, { personId }) => state.tokens.revoke(String(personId), 460),
  'POST permissions/revoke': ({ state }, { personId, permission }) => {
    if (permission) state.tokens.grantOf(String(personId))?.scopes.delete(String(permission));
    else state.tokens.revoke(String(personId), 458);
  },
  'GET tokens': () => issuedTokens(),
  'GET calls': ({ calls }) => calls,
  'POST calls/clear': ({ calls }) => void calls.splice(0),
  'GET published': ({ state }) => state.content.all().map((each) => ({ ...each, at: new Date(each.at).toISOString() })),
  'GET containers': ({ state }) =>
    [...state.containers.all.values()].map((each) => ({ ...each, status: state.containers.statusOf(each) })),
  'POST containers/spoil': ({ state }, { containerId, failure }) => {
    const container = state.containers.all.get(String(containerId));
    if (container) container.failure = failure as Container['failure'];
  },
  'POST remove-app': ({ state }, { personId, url }) => {
    state.tokens.revoke(String(personId), 458);
    return deliverSignedRequest(String(url), state.tokens.app.secret, String(personId), state.world.now());
  },
  'POST request-deletion': ({ state }, { personId, url }) =>
    deliverSignedRequest(String(url), state.tokens.app.secret, String(personId), state.world.now()),
  'POST signed-request': ({ state }, { personId }) => ({
    signedRequest: signedRequest(state.tokens.app.secret, String(personId), state.world.now()),
  }),
  ...messagingControls,
};
