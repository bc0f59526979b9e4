/** Volumes as the volume port tells them. */

export interface VolumeName {
  readonly app: string;
  readonly volume: string;
}

export interface VolumeOnDisk extends VolumeName {
  readonly path: string;
  /** At most a minute old. Absent when it was not asked for, or there is too much to count. */
  readonly diskBytes?: number;
}
