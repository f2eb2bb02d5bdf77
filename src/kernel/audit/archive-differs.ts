/** What was read back from the disk is not what the table holds: the month stays where it is. */
export class ArchiveDiffers extends Error {
  override readonly name = 'ArchiveDiffers';

  constructor(month: string) {
    super(`The file of ${month} does not hold what the table holds.`);
  }
}
