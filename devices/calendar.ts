/**
 * Dates of the proleptic Gregorian calendar as counts, and back.
 * @module
 */

/** Seconds of a day. */
export const SECONDS_PER_DAY = 86_400;

/** Days of 400 years, after which the calendar repeats. */
const DAYS_PER_ERA = 146_097;
/** 1970-01-01 counted from 0000-03-01: years that begin in March have their leap day last. */
const EPOCH_DAY = 719_468;

/** A day of the calendar. */
export interface CalendarDate {
  readonly year: number;
  /** 1-12. */
  readonly month: number;
  /** 1-31. */
  readonly day: number;
}

/**
 * Days since 1970-01-01. Months and days outside their range count on into the next years and
 * months.
 */
export function dayNumber({ year, month, day }: CalendarDate): number {
  const months = year * 12 + month - 3; // since March of year 0
  const marchYear = Math.floor(months / 12);
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const leapDays = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  const dayOfEra = yearOfEra * 365 + leapDays + daysBefore(months - marchYear * 12) + day - 1;
  return era * DAYS_PER_ERA + dayOfEra - EPOCH_DAY;
}

/** The date of a number of days since 1970-01-01. */
export function dateOf(days: number): CalendarDate {
  const era = Math.floor((days + EPOCH_DAY) / DAYS_PER_ERA);
  const dayOfEra = days + EPOCH_DAY - era * DAYS_PER_ERA;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1_460) + Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) / 365,
  );
  const leapDays = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  const dayOfYear = dayOfEra - (365 * yearOfEra + leapDays);
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  return {
    year: era * 400 + yearOfEra + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - daysBefore(fromMarch) + 1,
  };
}

/** Days of a year from March on that lie before a month, 0 = March: five months have 153. */
function daysBefore(fromMarch: number): number {
  return Math.floor((153 * fromMarch + 2) / 5);
}
