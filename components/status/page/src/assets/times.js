// Times in the visitor's own zone; what the page says in UTC stays beside it. Without scripts it is UTC alone.
(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const shown = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const now = new Date();
  if (!zone || now.getTimezoneOffset() === 0 && new Date(now.getFullYear(), 6).getTimezoneOffset() === 0) return;
  for (const time of document.querySelectorAll("time[datetime*=T]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    const utc = document.createElement("span");
    utc.className = "utc";
    utc.textContent = ` (${time.dateTime.slice(11, 16)} UTC)`;
    time.title = time.textContent;
    time.replaceChildren(shown.format(moment), utc);
  }
  const zones = document.getElementById("zone");
  if (zones) zones.textContent = `Times are in your zone, ${zone}, with UTC beside them.`;
})();
