import { Module } from '@nestjs/common';
import { HealthModule } from '../connections/health/health.module.js';
import { DoctorSettingsController } from './doctor-settings.controller.js';
import { DoctorSettingsService } from './doctor-settings.service.js';
import { InstagramStatusController } from './instagram-status.controller.js';
import { InstagramStatusService } from './instagram-status.service.js';

/** A doctor's own settings, and how their Instagram account is. */
@Module({
  imports: [HealthModule],
  controllers: [DoctorSettingsController, InstagramStatusController],
  providers: [DoctorSettingsService, InstagramStatusService],
})
export class DoctorsModule {}
