import { ApiResponse } from '@nestjs/swagger';
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

function success(options: OperationOptions): ResponseOptions {
  const described = { status: statusOf(options), description: 'Done.' };
  if (options.streams) {
    const binary = { schema: { type: 'string', format: 'binary' } };
    return { ...described, content: Object.fromEntries(options.streams.contentTypes.map((type) => [type, binary])) };
  }
  return { ...described, ...(options.answers && { standardSchema: options.answers }) };
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
    [access.kind === 'admin', 403, 'forbidden'],
    [isTenant, 403, 'role-too-low'],
    [isTenant, 404, 'not-found'],
    [!options.unlimited, 429, 'too-many-requests'],
    [true, 503, 'database-unavailable'],
    [options.idempotent === true, 409, 'idempotency-key-busy'],
    [options.idempotent === true, 422, 'idempotency-key-reused'],
    [needsActive, 409, 'clinic-inactive'],
    [options.uploads !== undefined, 413, 'payload-too-large'],
    [options.uploads !== undefined, 415, 'unsupported-media-type'],
  ];
  const declared = own.map(({ definition }): [number, string] => [definition.status, definition.code]);
  return [...common.filter(([applies]) => applies).map(([, ...code]): [number, string] => code), ...declared];
}
