// Shows the entry that a mark leads to beside the mark: on hover, focus and first tap.
(() => {
  "use strict";
  const detail = document.getElementById("detail");
  const narrow = matchMedia("(max-width: 40rem)");
  let shown = null;
  let timer = 0;
  let touched = false;
  const linkOf = (target) => target instanceof Element ? target.closest(".story a.go") : null;
  const entryOf = (link) => document.getElementById(link.getAttribute("href").slice(1));

  function light(entry, on) {
    for (const link of document.querySelectorAll(`a.go[href="#${CSS.escape(entry.id)}"]:not(.x)`)) {
      link.classList.toggle("same", on);
    }
    for (const link of entry.querySelectorAll("a.sentence")) {
      entryOf(link)?.classList.toggle("lit", on);
    }
  }

  function hide() {
    clearTimeout(timer);
    if (!shown) return;
    const entry = entryOf(shown);
    if (entry) light(entry, false);
    shown.removeAttribute("aria-describedby");
    detail.classList.add("hidden");
    shown = null;
  }

  function show(link) {
    clearTimeout(timer);
    if (shown === link) return;
    hide();
    const entry = entryOf(link);
    const told = entry?.querySelector(".told");
    if (!told) return;
    const copy = told.cloneNode(true);
    detail.replaceChildren(copy);
    const voice = entry.closest(".voice");
    detail.className = "card";
    if (voice) {
      const heading = voice.querySelector("h4").cloneNode(true);
      heading.style.margin = "0 0 .3rem";
      detail.classList.add(...[...voice.classList].filter((name) => /^v\d$/.test(name)));
      detail.prepend(heading);
    }
    for (const other of detail.querySelectorAll("a")) other.tabIndex = -1;
    shown = link;
    link.setAttribute("aria-describedby", "detail");
    light(entry, true);
    if (narrow.matches) return;
    const place = link.getClientRects()[0] ?? link.getBoundingClientRect();
    const own = detail.getBoundingClientRect();
    const left = Math.max(8, Math.min(place.left, innerWidth - own.width - 8));
    const below = place.bottom + 6;
    const top = below + own.height > innerHeight ? Math.max(8, place.top - own.height - 6) : below;
    detail.style.left = `${left}px`;
    detail.style.top = `${top}px`;
  }

  const later = (what, wait) => { clearTimeout(timer); timer = setTimeout(what, wait); };
  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    const link = linkOf(event.target);
    if (link) later(() => show(link), 120);
    else if (detail.contains(event.target)) clearTimeout(timer);
    else if (shown && shown !== document.activeElement) later(hide, 300);
  });
  document.addEventListener("focusin", (event) => {
    const link = linkOf(event.target);
    if (link && !touched) show(link);
    else if (!detail.contains(event.target) && !link) hide();
  });
  document.addEventListener("pointerdown", (event) => {
    touched = event.pointerType === "touch";
  });
  document.addEventListener("click", (event) => {
    const link = linkOf(event.target);
    if (link && touched && shown !== link) {
      // The first tap shows, the second leads.
      event.preventDefault();
      show(link);
    } else if (!detail.contains(event.target)) {
      hide();
    }
    touched = false;
  });
  document.addEventListener("keydown", (event) => {
    touched = false;
    if (event.key === "Escape") hide();
  });
  addEventListener("scroll", () => { if (!narrow.matches && shown !== document.activeElement) hide(); }, { passive: true });
  // On a small screen the legend waits until it is asked for.
  if (narrow.matches) document.querySelector(".legend")?.removeAttribute("open");
})();
