import { Body, Controller, Delete, Get, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Forbidden, InvalidCursor, NotFound } from '../../kernel/http/http.errors.js';
import { Operation } from '../../kernel/http/operation.decorator.js';
import { Uuid } from '../../kernel/http/primitives.js';
import { adminOnly, signedIn } from '../../kernel/tenancy/access.js';
import { CurrentCaller } from '../../kernel/tenancy/current-caller.decorator.js';
import type { Caller } from '../../kernel/tenancy/request-context.js';
import { NoAdminLeft, NotYourself } from './auth.errors.js';
import { User, UserChanges, Users, UsersQuery } from './users.schemas.js';
import { UsersService } from './users.service.js';

@ApiTags('auth')
@Controller('users')
export class UsersController {
  constructor(private readonly users: UsersService) {}

  @Get()
  @Operation({
    id: 'listUsers',
    summary: 'List users',
    description: 'An admin sees everybody, a clinic_admin the members of their own clinics; nobody else may.',
    access: signedIn,
    answers: Users,
    refusals: [Forbidden, InvalidCursor],
  })
  list(@Query({ schema: UsersQuery }) query: UsersQuery, @CurrentCaller() caller: Caller): Promise<Users> {
    return this.users.list(query, caller);
  }

  @Get(':userId')
  @Operation({
    id: 'getUser',
    summary: 'Read a user',
    description: 'An admin reads everybody, a clinic_admin the members of their own clinics.',
    access: signedIn,
    answers: User,
    refusals: [Forbidden, NotFound],
  })
  get(@Param('userId', { schema: Uuid }) userId: string, @CurrentCaller() caller: Caller): Promise<User> {
    return this.users.get(userId, caller);
  }

  @Patch(':userId')
  @Operation({
    id: 'updateUser',
    summary: "Change a user's name or type",
    access: adminOnly,
    answers: User,
    refusals: [NoAdminLeft, NotFound, NotYourself],
  })
  change(
    @Param('userId', { schema: Uuid }) userId: string,
    @Body({ schema: UserChanges }) body: UserChanges,
    @CurrentCaller() caller: Caller,
  ): Promise<User> {
    return this.users.change(userId, body, caller);
  }

  @Post(':userId/disable')
  @Operation({
    id: 'disableUser',
    summary: 'Disable a user; ends their sessions',
    access: adminOnly,
    answers: User,
    refusals: [NoAdminLeft, NotFound, NotYourself],
  })
  disable(@Param('userId', { schema: Uuid }) userId: string, @CurrentCaller() caller: Caller): Promise<User> {
    return this.users.setDisabled(userId, true, caller);
  }

  @Post(':userId/enable')
  @Operation({
    id: 'enableUser',
    summary: 'Enable a disabled user',
    access: adminOnly,
    answers: User,
    refusals: [NoAdminLeft, NotFound, NotYourself],
  })
  enable(@Param('userId', { schema: Uuid }) userId: string, @CurrentCaller() caller: Caller): Promise<User> {
    return this.users.setDisabled(userId, false, caller);
  }

  @Delete(':userId')
  @Operation({
    id: 'deleteUser',
    summary: 'Delete a user: no log-in, no roles; what they did stays on record',
    access: adminOnly,
    refusals: [NoAdminLeft, NotFound, NotYourself],
  })
  remove(@Param('userId', { schema: Uuid }) userId: string, @CurrentCaller() caller: Caller): Promise<void> {
    return this.users.remove(userId, caller);
  }
}
