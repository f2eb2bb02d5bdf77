import { Body, Controller, Delete, Get, Headers, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import {
  AlreadyExists,
  InvalidCursor,
  PreconditionFailed,
  StillReferenced,
  UnknownReference,
} from '../../../../kernel/http/http.errors.js';
import { Operation } from '../../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../../kernel/http/primitives.js';
import { clinicRole } from '../../../../kernel/tenancy/access.js';
import { MappingRefused } from '../imports.errors.js';
import {
  FirstRows,
  MappingProposal,
  NewSavedMapping,
  SavedMapping,
  SavedMappingChanges,
  SavedMappings,
  SavedMappingsQuery,
} from './saved-mappings.schemas.js';
import { SavedMappingsService } from './saved-mappings.service.js';

@ApiTags('metrics')
@Controller('clinics/:clinicId/mappings')
export class SavedMappingsController {
  constructor(private readonly mappings: SavedMappingsService) {}

  @Get()
  @Operation({
    id: 'listMappings',
    summary: 'List the saved mappings of a clinic, by name',
    access: clinicRole('viewer'),
    answers: SavedMappings,
    refusals: [InvalidCursor],
  })
  list(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Query({ schema: SavedMappingsQuery }) query: SavedMappingsQuery,
  ): Promise<SavedMappings> {
    return this.mappings.list(clinicId, query);
  }

  @Post()
  @Operation({
    id: 'createMapping',
    summary: 'Save a mapping of columns to fields',
    access: clinicRole('clinic_admin'),
    status: 201,
    answers: SavedMapping,
    location: '/clinics/{clinicId}/mappings/{id}',
    idempotent: true,
    etag: true,
    refusals: [AlreadyExists, MappingRefused, UnknownReference],
  })
  create(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Body({ schema: NewSavedMapping }) body: NewSavedMapping,
  ): Promise<SavedMapping> {
    return this.mappings.create(clinicId, body);
  }

  @Post('proposal')
  @Operation({
    id: 'proposeMapping',
    summary: 'Find the header in the first rows of a file, propose a mapping, and show what the rows would become',
    description: 'Nothing is stored: the proposal is for a person to look at and to send back as a mapping.',
    access: clinicRole('staff'),
    status: 200,
    answers: MappingProposal,
    refusals: [MappingRefused],
  })
  propose(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Body({ schema: FirstRows }) body: FirstRows,
  ): Promise<MappingProposal> {
    return this.mappings.propose(clinicId, body);
  }

  @Get(':mappingId')
  @Operation({
    id: 'getMapping',
    summary: 'Read a saved mapping',
    access: clinicRole('viewer'),
    answers: SavedMapping,
    etag: true,
  })
  get(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('mappingId', { schema: Uuid }) mappingId: string,
  ): Promise<SavedMapping> {
    return this.mappings.get(clinicId, mappingId);
  }

  @Patch(':mappingId')
  @Operation({
    id: 'updateMapping',
    summary: 'Change a saved mapping',
    access: clinicRole('clinic_admin'),
    answers: SavedMapping,
    etag: true,
    refusals: [AlreadyExists, MappingRefused, PreconditionFailed, UnknownReference],
  })
  change(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('mappingId', { schema: Uuid }) mappingId: string,
    @Body({ schema: SavedMappingChanges }) body: SavedMappingChanges,
    @Headers('if-match') ifMatch?: string,
  ): Promise<SavedMapping> {
    return this.mappings.change(clinicId, mappingId, body, ifMatch);
  }

  @Delete(':mappingId')
  @Operation({
    id: 'deleteMapping',
    summary: 'Delete a saved mapping',
    access: clinicRole('clinic_admin'),
    refusals: [StillReferenced],
  })
  remove(
    @Param('clinicId', { schema: Uuid }) clinicId: string,
    @Param('mappingId', { schema: Uuid }) mappingId: string,
  ): Promise<void> {
    return this.mappings.remove(clinicId, mappingId);
  }
}
