import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { z } from 'zod';
import { errorsPage } from '../errors/errors-page.js';
import { addFurtherContent } from './operation-answers.js';
import { Problem } from './problem.schema.js';

/** Where the page is served that shows the description; what it loads lies below. */
export const documentationPath = '/api/docs';

type SchemaObject = NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>[string];

/** The API's description, from the declarations of its routes. */
export function describeApi(application: NestFastifyApplication): OpenAPIObject {
  const settings = new DocumentBuilder()
    .setTitle('Polyclinic')
    .setDescription('The backend that a group of clinics runs its business on. Every clinic sees its own rows only.')
    .setVersion('1')
    .setLicense('Proprietary', 'https://polyclinic.example/licence')
    .addServer('/')
    .addBearerAuth({
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'JWT',
      description: 'The access token of a log-in.',
    })
    .build();
  const document = SwaggerModule.createDocument(application, settings);
  addFurtherContent(document);
  document.components = {
    ...document.components,
    schemas: { ...document.components?.schemas, Problem: problemSchema() },
  };
  return document;
}

/** Serves the description at `/api/openapi.json`, a page to try it at `/api/docs`, and the page of errors. */
export function serveDocumentation(application: NestFastifyApplication): void {
  let document: OpenAPIObject | undefined;
  const describe = () => {
    document ??= describeApi(application);
    return document;
  };
  SwaggerModule.setup(documentationPath, application, describe, {
    jsonDocumentUrl: 'api/openapi.json',
    customSiteTitle: 'Polyclinic API',
    // The page must not ask a validator on the internet about an installation's API.
    swaggerOptions: { validatorUrl: null },
  });
  application
    .getHttpAdapter()
    .getInstance()
    .get('/api/errors', (_request, reply) => reply.type('text/markdown; charset=utf-8').send(errorsPage()));
}

/** zod gives a named schema as a reference to its own definition. */
function problemSchema(): SchemaObject {
  const { definitions } = z.toJSONSchema(Problem, { target: 'openapi-3.0' });
  return (definitions as Record<string, SchemaObject>)['Problem'] ?? {};
}
