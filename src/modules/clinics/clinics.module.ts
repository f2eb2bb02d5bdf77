import { Module } from '@nestjs/common';
import { MailModule } from '../../integrations/mail/mail.module.js';
import { ClinicsController } from './clinics/clinics.controller.js';
import { ClinicsService } from './clinics/clinics.service.js';
import { AcceptanceService } from './invitations/acceptance.service.js';
import { InvitationMails } from './invitations/invitation-mails.js';
import { InvitationsController } from './invitations/invitations.controller.js';
import { InvitationsService } from './invitations/invitations.service.js';
import { ClinicMembersController } from './members/clinic-members.controller.js';
import { ClinicMembersService } from './members/clinic-members.service.js';
import { OrganisationMembersController } from './members/organisation-members.controller.js';
import { OrganisationMembersService } from './members/organisation-members.service.js';
import { People } from './members/people.js';
import { MembershipsService } from './memberships.service.js';
import { OrganisationsController } from './organisations/organisations.controller.js';
import { OrganisationsService } from './organisations/organisations.service.js';
import { ProvidersController } from './providers/providers.controller.js';
import { ProvidersService } from './providers/providers.service.js';

/** Who belongs where, and with which role: the source of every tenant decision. */
@Module({
  imports: [MailModule],
  controllers: [
    ClinicMembersController,
    ClinicsController,
    InvitationsController,
    OrganisationMembersController,
    OrganisationsController,
    ProvidersController,
  ],
  providers: [
    AcceptanceService,
    ClinicMembersService,
    ClinicsService,
    InvitationMails,
    InvitationsService,
    MembershipsService,
    OrganisationMembersService,
    OrganisationsService,
    People,
    ProvidersService,
  ],
  exports: [MembershipsService],
})
export class ClinicsModule {}
