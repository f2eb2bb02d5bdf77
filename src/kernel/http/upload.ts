import { Readable } from 'node:stream';
import type { MultipartFile, MultipartValue } from '@fastify/multipart';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { DomainError, type FieldError } from '../errors/domain-error.js';
import { currentStore } from '../tenancy/request-context.js';
import { InvalidRequest, PayloadTooLarge, UnsupportedMediaType } from './http.errors.js';
import type { UploadOptions } from './operation.decorator.js';
import { fitted } from './validation.pipe.js';

/** A form whose file is still arriving. */
export interface Upload<Fields> {
  /** As the schema of the route makes them. */
  fields: Fields;
  /** As the client names it, without a folder; not to be trusted for more than showing it. */
  fileName: string;
  /** As the client claims. */
  contentType: string;
  /**
   * The bytes as they come: nothing is kept of them, and no more is taken from the connection than is read here. Fails with
   * `payload-too-large` above the limit, and with `invalid-request` when the client hangs up or something follows the file.
   */
  file: Readable;
}

class OpenTransaction extends Error {
  constructor() {
    super('A transaction is open while an upload arrives: use Database.separately.');
  }
}

type Part = MultipartFile | MultipartValue;
type Parts = AsyncIterator<Part>;

/** Every part but the file: what says how to read it is short. */
const limits = { files: 1, fields: 50, parts: 52, fieldSize: 256 * 1024, headerPairs: 50 };

/**
 * The multipart/form-data of a route with `uploads`, its fields read and checked, its file about to be. While it arrives
 * the request's own transaction must not be open: work through `Database.separately`.
 */
export const Upload = createParamDecorator((_: unknown, execution: ExecutionContext): Promise<Upload<unknown>> => {
  return receive(execution.switchToHttp().getRequest<FastifyRequest>());
});

async function receive(request: FastifyRequest): Promise<Upload<unknown>> {
  const { uploads } = request.routeOptions.config;
  if (!uploads) throw new Error('The route does not declare that it takes uploads.');
  if (!request.isMultipart()) throw new UnsupportedMediaType('Send the file as `multipart/form-data`.');
  const maxBytes = Math.min(uploads.maxBytes ?? Number.POSITIVE_INFINITY, request.server.uploadLimitBytes);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw new PayloadTooLarge();
  watch(request, maxBytes);
  const parts = refusing(request.parts({ limits: { ...limits, fileSize: maxBytes } }));
  const { texts, file } = await readFields(parts);
  if (!file) throw invalid('file', 'missing', 'The form holds no file.');
  try {
    const fields = await fitted(uploads.fields, texts);
    return { fields, fileName: nameOf(file), contentType: file.mimetype, file: contentsOf(file, parts) };
  } catch (refusal) {
    file.file.destroy();
    throw refusal;
  }
}

/** Counts what really comes, whatever was announced, and sees to it that no connection is held meanwhile. */
function watch({ raw }: FastifyRequest, maxBytes: number): void {
  const { transaction } = currentStore();
  let bytes = 0;
  const count = (chunk: Buffer) => {
    bytes += chunk.length;
    if (transaction.isOpen) stop(new OpenTransaction());
    else if (bytes > maxBytes) stop(new PayloadTooLarge());
  };
  // The parser stands on the request, and takes its error for its own.
  const stop = (error: Error) => {
    raw.off('data', count);
    raw.emit('error', error);
  };
  raw.on('data', count);
}

async function readFields(parts: Parts): Promise<{ texts: Record<string, unknown>; file: MultipartFile | undefined }> {
  const texts: Record<string, unknown> = {};
  for (let part = await parts.next(); !part.done; part = await parts.next()) {
    const { value } = part;
    if (value.type === 'file') return { texts, file: value };
    if (value.valueTruncated || value.fieldnameTruncated)
      throw invalid(value.fieldname, 'too-long', 'The field is too long.');
    if (Object.hasOwn(texts, value.fieldname)) throw invalid(value.fieldname, 'repeated', 'The field comes twice.');
    texts[value.fieldname] = value.value;
  }
  return { texts, file: undefined };
}

function contentsOf({ file }: MultipartFile, parts: Parts): Readable {
  async function* bytes(): AsyncGenerator<Buffer> {
    yield* refusing(file as AsyncIterable<Buffer>);
    if (file.truncated) throw new PayloadTooLarge();
    const { done } = await parts.next();
    if (!done) throw invalid('file', 'not-last', 'The file must be the last part of the form, and the only one.');
  }
  return Readable.from(bytes(), { objectMode: false });
}

/** What the parser throws is the fault of who sent the form, but for a fault of the route, which `watch` has found. */
async function* refusing<Item>(items: AsyncIterable<Item>): AsyncGenerator<Item> {
  try {
    yield* items;
  } catch (error) {
    if (error instanceof DomainError || error instanceof OpenTransaction) throw error;
    const isTooMuch = (error as { statusCode?: number }).statusCode === 413;
    throw isTooMuch
      ? new PayloadTooLarge()
      : new InvalidRequest('The form is malformed, or was cut off.', { cause: error });
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it removes
const controlCharacters = /[\u0000-\u001f\u007f]/g;

const nameOf = ({ filename }: MultipartFile): string => filename.replace(controlCharacters, '').slice(0, 200);

function invalid(path: string, code: string, message: string): Error {
  const errors: FieldError[] = [{ path, code, message }];
  return new InvalidRequest('The form cannot be read.', { errors });
}

declare module 'fastify' {
  interface FastifyContextConfig {
    uploads?: UploadOptions;
  }
  interface FastifyInstance {
    uploadLimitBytes: number;
  }
}
