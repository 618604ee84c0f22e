// Times as a person of the chosen language says them, in the time zone of the
// machine.

const DAY = 24 * 60 * 60 * 1000;

const dayStart = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());

export class Clock {
  constructor(language) {
    const format = (options) => new Intl.DateTimeFormat(language, options);

    this.hour = format({ hour: 'numeric', minute: '2-digit' });
    this.weekday = format({ weekday: 'long' });
    this.date = format({ day: 'numeric', month: 'long' });
    this.longDate = format({ day: 'numeric', month: 'long', year: 'numeric' });
    this.shortDate = format({ day: 'numeric', month: 'short' });
    this.numericDate = format({ dateStyle: 'short' });
    this.full = format({ dateStyle: 'full', timeStyle: 'medium' });
    this.relative = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
  }

  time(date) {
    return this.hour.format(date);
  }

  /** "today", "yesterday", a weekday, a date: what separates days. */
  day(date, now = new Date()) {
    const days = Math.round((dayStart(now) - dayStart(date)) / DAY);

    if (days <= 1) {
      return this.relative.format(-Math.max(days, 0), 'day');
    }
    if (days < 7) {
      return this.weekday.format(date);
    }
    return (date.getFullYear() === now.getFullYear() ? this.date : this.longDate).format(date);
  }

  /** As short as a list wants it. */
  brief(date, now = new Date()) {
    if (dayStart(date) >= dayStart(now)) {
      return this.time(date);
    }
    return (date.getFullYear() === now.getFullYear() ? this.shortDate : this.numericDate).format(date);
  }

  /** All that is known. */
  exact(date) {
    return this.full.format(date);
  }

  sameDay(one, other) {
    return dayStart(one).getTime() === dayStart(other).getTime();
  }
}
