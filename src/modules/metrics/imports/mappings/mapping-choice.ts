import { Injectable } from '@nestjs/common';
import { NotFound } from '../../../../kernel/http/http.errors.js';
import { Database } from '../../../../kernel/tenancy/database.js';
import type { FactTable } from '../fields.js';
import { MappingRefused } from '../imports.errors.js';
import { checkMapping } from './compiled-mapping.js';
import type { MappingConfig } from './mapping.schemas.js';

interface Choice {
  /** As JSON where it came in a form. */
  mapping?: unknown;
  mappingId?: string | undefined;
}

/** The mapping of an import: one that came with it, or a saved one of the clinic. */
@Injectable()
export class MappingChoice {
  constructor(private readonly database: Database) {}

  /** @throws MappingRefused; NotFound for a saved one that is not there or is for another table */
  async of(clinicId: string, table: FactTable, { mapping, mappingId }: Choice): Promise<MappingConfig> {
    if ((mapping === undefined) === (mappingId === undefined))
      throw new MappingRefused('Give either a mapping or the id of a saved one.');
    if (mappingId === undefined) return checkMapping(table, typeof mapping === 'string' ? parsed(mapping) : mapping);
    const row = await this.database.first<{ mappingConfig: unknown; targetTable: string }>(savedMapping, [
      clinicId,
      mappingId,
    ]);
    if (!row) throw new NotFound('There is no active mapping of this id in the clinic.');
    if (row.targetTable !== table) throw new MappingRefused(`The saved mapping is for ${row.targetTable}.`);
    return checkMapping(table, row.mappingConfig);
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new MappingRefused('The mapping is not JSON.');
  }
}

const savedMapping = `
  SELECT mapping_config, target_table FROM public.column_mappings WHERE clinic_id = $1 AND id = $2 AND is_active`;
