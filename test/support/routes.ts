import { readFileSync } from 'node:fs';

/** Reads the API's own description: what a test learns from it holds for routes that nobody has thought of yet. */

interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  schema?: JsonSchema;
}

export interface JsonSchema {
  $ref?: string;
  type?: string;
  format?: string;
  enum?: unknown[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  allOf?: JsonSchema[];
  nullable?: boolean;
}

interface OpenApiOperation {
  operationId: string;
  description?: string;
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { schema: JsonSchema }> };
}

interface OpenApi {
  paths: Record<string, Record<string, OpenApiOperation>>;
  components: { schemas: Record<string, JsonSchema> };
}

export interface Route {
  id: string;
  method: string;
  path: string;
  pathParameters: string[];
  queryParameters: Parameter[];
  body: JsonSchema | undefined;
  /** The one type of user that may call it; undefined where types do not matter. */
  userType: string | undefined;
}

const document = JSON.parse(readFileSync(new URL('../../docs/openapi.json', import.meta.url), 'utf8')) as OpenApi;

export const routes: Route[] = Object.entries(document.paths).flatMap(([path, operations]) =>
  Object.entries(operations).map(([method, operation]) => ({
    id: operation.operationId,
    method: method.toUpperCase(),
    path,
    pathParameters: [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? ''),
    queryParameters: (operation.parameters ?? []).filter((parameter) => parameter.in === 'query'),
    body: operation.requestBody?.content['application/json']?.schema,
    userType: /^Who may: users of type `(.+)`\.$/m.exec(operation.description ?? '')?.[1],
  })),
);

/** A body that fits the schema, with the given values wherever a field of that name stands, at any depth. */
export function bodyFor(schema: JsonSchema, values: Record<string, unknown>, name = ''): unknown {
  if (schema.$ref) return bodyFor(resolve(schema.$ref), values, name);
  if (name in values) return values[name];
  // One that is referred to stands alone in an `allOf`.
  const [alternative] = schema.anyOf ?? schema.allOf ?? [];
  if (alternative) return bodyFor(alternative, values, name);
  if (schema.enum) return schema.enum[0];
  if (schema.properties) {
    const fields = Object.entries(schema.properties).filter(
      ([field]) => values[field] !== undefined || schema.required?.includes(field),
    );
    return Object.fromEntries(fields.map(([field, inner]) => [field, bodyFor(inner, values, field)]));
  }
  if (schema.type === 'array') return [bodyFor(schema.items ?? {}, values, name)];
  if (schema.type === 'boolean') return true;
  if (schema.type === 'integer' || schema.type === 'number') return 1;
  return `any ${name}`;
}

function resolve(reference: string): JsonSchema {
  const schema = document.components.schemas[reference.split('/').at(-1) ?? ''];
  if (!schema) throw new Error(`The API's description names ${reference}, which is not there.`);
  return schema;
}
