/**
 * What conference documents say of MCUs. RFC 4575 knows none: it says where a kind of media is reached (`conf-uris`), which
 * media there are (`available-media`), who has which, and whether the conference is active at all.
 */
import { modalities } from '../../recovery/roster';
import type { McuReports } from '../../recovery/signaling';
import type { ConferenceUri, Medium, ReadDocument } from './conference-document';
import type { SavedMcus } from './saved';

/** Purposes of `conf-uris` that name no MCU (RFC 4575, 5.3.1). */
const otherPurposes: ReadonlySet<string> = new Set(['participation', 'streaming', 'event', 'recording', 'web-page']);

/** The MCUs of one participation, from one document to the next; what a document does not mention is as it was. */
export class McuView {
  /** Entries of `conf-uris` in the latest document that had any. */
  conferenceUris: ConferenceUri[] = [];
  /** Entries of `available-media` in the latest document that had any. */
  private available: Medium[] | null = null;
  private conferenceActive = true;
  /** Types of the media that participants have. */
  private flowing = new Set<string>();

  constructor(
    /** Name of the MCU that a purpose of `conf-uris` stands for. */
    private readonly mcuOf: (purpose: string) => string,
  ) {}

  /** As another process has kept it. */
  restore({ conferenceUris, available, conferenceActive, flowing }: SavedMcus): void {
    this.conferenceUris = conferenceUris;
    this.available = available;
    this.conferenceActive = conferenceActive;
    this.flowing = new Set(flowing);
  }

  /** What another process needs to know of them. */
  save(): SavedMcus {
    const { conferenceUris, available, conferenceActive, flowing } = this;
    return { conferenceUris, available, conferenceActive, flowing: [...flowing] };
  }

  /** Learns from a document. `conferenceUris` stays the same array where it says the same. */
  learn({ document, conferenceUris, availableMedia }: ReadDocument): void {
    if (conferenceUris && !areEqual(conferenceUris, this.conferenceUris)) this.conferenceUris = conferenceUris;
    if (availableMedia) this.available = availableMedia;
    if (typeof document.properties?.active === 'boolean') this.conferenceActive = document.properties.active;
    if (document.state === 'full') this.flowing = new Set();
    for (const { endpoints } of document.users) {
      for (const { media } of endpoints) {
        for (const { id, type = id, status } of media) if (status !== 'inactive') this.flowing.add(type);
      }
    }
  }

  /**
   * What the conference says of each MCU; null where it names none, neither by a purpose nor by its media. An MCU is
   * - `inactive` while the conference is not active (RFC 4575, 5.5), whatever else is said;
   * - `active` when a medium of its is available, or a participant has one that is not inactive;
   * - `inactive` when `available-media` is there and has none of its;
   * - `active` when `conf-uris` names it and nothing is said of its media.
   */
  reports(): McuReports {
    const purposes = this.conferenceUris.map(({ purpose }) => purpose).filter((purpose) => !otherPurposes.has(purpose));
    // Media without purposes: then there are the usual MCUs, of which one that is not available may become so.
    const names = purposes.length > 0 ? purposes.map(this.mcuOf) : this.available ? Object.keys(modalities) : [];
    if (names.length === 0) return null;
    return Object.fromEntries(names.map((mcu) => [mcu, this.isActive(mcu) ? 'active' : 'inactive']));
  }

  private isActive(mcu: string): boolean {
    const types = Object.hasOwn(modalities, mcu) ? modalities[mcu] : undefined;
    if (!this.conferenceActive) return false;
    if (!this.available || !types) return true;
    const offered = this.available.filter(({ status }) => status !== 'inactive').map(({ type }) => type);
    return types.some((type) => offered.includes(type) || this.flowing.has(type));
  }
}

function areEqual(some: readonly ConferenceUri[], others: readonly ConferenceUri[]): boolean {
  const same = ({ uri, purpose }: ConferenceUri, index: number): boolean =>
    others[index]?.uri === uri && others[index].purpose === purpose;
  return some.length === others.length && some.every(same);
}
