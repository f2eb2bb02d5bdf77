import { ApiResponse, type OpenAPIObject } from '@nestjs/swagger';
import { type OperationOptions, statusOf } from './operation.decorator.js';

type ResponseOptions = Parameters<typeof ApiResponse>[0];

/** All that a route answers, for the API's description. Some of it depends on the method, which Nest knows at the start. */
export function documentedAnswers(options: OperationOptions, method: string): MethodDecorator[] {
  const others = Object.entries(options.alsoAnswers ?? {}).map(([status, standardSchema]) =>
    ApiResponse({ status: Number(status), description: 'An outcome for each.', standardSchema }),
  );
  const known = options.etag && isRead(method) ? [ApiResponse(unchanged)] : [];
  return [ApiResponse(success(options)), ...others, ...known, ...refusals(options, method)];
}

const isRead = (method: string): boolean => method === 'GET' || method === 'HEAD';

const unchanged = { status: 304, description: 'Nothing has changed since the version that `If-None-Match` names.' };

/** What Nest's response cannot say by itself: it gives each of its types the same schema. Put in its place at the end. */
const furtherContent = 'x-further-content';

function success(options: OperationOptions): ResponseOptions {
  if (options.redirects) return sentOn;
  const described = { status: statusOf(options), description: 'Done.', ...(options.setsCookie && withSetCookie) };
  if (options.text) return { ...described, content: { 'text/plain': { schema: { type: 'string' } } } };
  const body = options.answers && { standardSchema: options.answers };
  if (!options.streams) return { ...described, ...body };
  const types = options.streams.contentTypes.filter((type) => !(body && isJson(type)));
  const content = Object.fromEntries(types.map((type) => [type, binary]));
  if (!body) return { ...described, content };
  const completed = { ...described, ...body, [furtherContent]: content };
  return completed;
}

const withSetCookie = {
  headers: { 'Set-Cookie': { description: 'Only this browser can go on from here.', schema: { type: 'string' } } },
} as const;

const sentOn = {
  status: 302,
  description: 'The browser is sent on.',
  headers: { Location: { description: 'Where it goes on.', schema: { type: 'string' } } },
} as const;

const isJson = (type: string): boolean => /^application\/json(;|$)/.test(type);

const binary = { schema: { type: 'string', format: 'binary' } };

/** Completes the description of routes that answer JSON or a file, as the client asks. */
export function addFurtherContent({ paths }: OpenAPIObject): void {
  const operations = Object.values(paths).flatMap((path) => Object.values(path) as OperationObject[]);
  for (const { responses = {} } of operations) {
    for (const response of Object.values(responses) as FurtherResponse[]) {
      if (!response[furtherContent]) continue;
      response.content = { ...response.content, ...response[furtherContent] };
      delete response[furtherContent];
    }
  }
}

type OperationObject = Partial<NonNullable<OpenAPIObject['paths'][string]['get']>>;
interface FurtherResponse {
  content?: object;
  [furtherContent]?: object;
}

function refusals(options: OperationOptions, method: string): MethodDecorator[] {
  const codes = new Map<number, string[]>();
  for (const [status, code] of refusalCodes(options, method)) {
    codes.set(status, [...new Set([...(codes.get(status) ?? []), code])]);
  }
  return [...codes].map(([status, names]) =>
    ApiResponse({
      status,
      description: names.map((name) => `\`${name}\``).join(', '),
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
    }),
  );
}

function refusalCodes(options: OperationOptions, method: string): [number, string][] {
  const { access, refusals: own = [] } = options;
  const isTenant = access.kind === 'clinic' || access.kind === 'organisation';
  const needsActive = access.kind === 'clinic' && !isRead(method) && !options.allowsInactiveClinic;
  const common: [boolean, number, string][] = [
    [true, 400, 'invalid-request'],
    [access.kind !== 'public', 401, 'unauthenticated'],
    [access.kind === 'user-type', 403, 'forbidden'],
    [isTenant, 403, 'role-too-low'],
    [isTenant, 404, 'not-found'],
    [options.unlimited !== true, 429, 'too-many-requests'],
    [true, 503, 'database-unavailable'],
    [options.idempotent === true, 409, 'idempotency-key-busy'],
    [options.idempotent === true, 422, 'idempotency-key-reused'],
    [needsActive, 409, 'clinic-inactive'],
    [options.uploads !== undefined || options.rawBody !== undefined, 413, 'payload-too-large'],
    [[options.uploads, options.forms, options.rawBody].some(Boolean), 415, 'unsupported-media-type'],
  ];
  const declared = own.map(({ definition }): [number, string] => [definition.status, definition.code]);
  return [...common.filter(([applies]) => applies).map(([, ...code]): [number, string] => code), ...declared];
}
