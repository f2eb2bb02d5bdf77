import { Body, Controller, Delete, Get, Headers, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import {
  AlreadyExists,
  InvalidCursor,
  PreconditionFailed,
  StillReferenced,
  UnknownReference,
} from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { clinicRole } from '../../../kernel/tenancy/access.js';
import { NewProvider, Provider, ProviderChanges, Providers, ProvidersQuery } from './providers.schemas.js';
import { ProvidersService } from './providers.service.js';

@ApiTags('clinics')
@Controller('clinics/:clinicId/providers')
export class ProvidersController {
  constructor(private readonly providers: ProvidersService) {}

  @Get()
  @Operation({
    id: 'listProviders',
    summary: 'List the providers of a clinic, by name',
    access: clinicRole('viewer'),
    answers: Providers,
    refusals: [InvalidCursor],
  })
  list(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Query({ schema: ProvidersQuery }) query: ProvidersQuery,
  ): Promise<Providers> {
    return this.providers.list(clinicId, query);
  }

  @Post()
  @Operation({
    id: 'createProvider',
    summary: 'Add a provider to a clinic',
    access: clinicRole('clinic_admin'),
    status: 201,
    answers: Provider,
    location: '/clinics/{clinicId}/providers/{id}',
    idempotent: true,
    etag: true,
    refusals: [AlreadyExists, UnknownReference],
  })
  create(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Body({ schema: NewProvider }) body: NewProvider,
  ): Promise<Provider> {
    return this.providers.create(clinicId, body);
  }

  @Get(':providerId')
  @Operation({
    id: 'getProvider',
    summary: 'Read a provider',
    access: clinicRole('viewer'),
    answers: Provider,
    etag: true,
  })
  get(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('providerId', { schema: Uuid }) providerId: string,
  ): Promise<Provider> {
    return this.providers.get(clinicId, providerId);
  }

  @Patch(':providerId')
  @Operation({
    id: 'updateProvider',
    summary: 'Change a provider',
    access: clinicRole('clinic_admin'),
    answers: Provider,
    etag: true,
    refusals: [AlreadyExists, PreconditionFailed, UnknownReference],
  })
  change(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('providerId', { schema: Uuid }) providerId: string,
    @Body({ schema: ProviderChanges }) body: ProviderChanges,
    @Headers('if-match') ifMatch?: string,
  ): Promise<Provider> {
    return this.providers.change(clinicId, providerId, body, ifMatch);
  }

  @Delete(':providerId')
  @Operation({
    id: 'deleteProvider',
    summary: 'Delete a provider that nothing refers to',
    access: clinicRole('clinic_admin'),
    refusals: [StillReferenced],
  })
  remove(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('providerId', { schema: Uuid }) providerId: string,
  ): Promise<void> {
    return this.providers.remove(clinicId, providerId);
  }
}
