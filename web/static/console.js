// What the console's pages do by themselves. Runs before htmx (deferred scripts keep their
// order) and asks for `htmx`, `tus` and `tabler` only when something happens.
(() => {
  "use strict";

  const csrfToken = () => document.querySelector('meta[name="csrf-token"]').content;

  // Forms ---------------------------------------------------------------------------------

  document.addEventListener("htmx:config:request", (event) => {
    const request = event.detail.ctx.request;
    if (request.method !== "GET") request.headers["X-CSRFToken"] = csrfToken();
  });

  document.addEventListener("htmx:before:request", (event) => busy(event, true));
  document.addEventListener("htmx:finally:request", (event) => busy(event, false));

  function busy(event, on) {
    const form = event.target.closest?.("form");
    const button = form?.querySelector('button[type="submit"]');
    if (button && event.detail.ctx.request.method !== "GET") button.classList.toggle("btn-loading", on);
  }

  document.addEventListener("htmx:confirm", (event) => {
    const { ctx, issueRequest, dropRequest } = event.detail;
    event.preventDefault();
    const dialog = document.getElementById("confirm");
    dialog.querySelector("#confirm-question").textContent = ctx.confirm;
    dialog.returnValue = "no";
    dialog.addEventListener(
      "close",
      () => (dialog.returnValue === "yes" ? issueRequest() : dropRequest()),
      { once: true },
    );
    dialog.showModal();
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("#confirm button");
    if (button) document.getElementById("confirm").close(button.value);
    if (event.target.closest("#theme-toggle")) toggleTheme();
    if (event.target.dataset?.checkAll) checkAll(event.target);
    if (event.target.closest("#keys-open")) document.getElementById("keys").showModal();
    if (event.target.closest("#keys button")) document.getElementById("keys").close();
  });

  function checkAll(box) {
    const form = document.getElementById(box.dataset.checkAll);
    for (const one of form.elements) if (one.type === "checkbox") one.checked = box.checked;
  }

  function toggleTheme() {
    const root = document.documentElement;
    const theme = root.getAttribute("data-bs-theme") === "dark" ? "light" : "dark";
    root.setAttribute("data-bs-theme", theme);
    localStorage.setItem("netboot-theme", theme);
    document.dispatchEvent(new CustomEvent("netboot:theme"));
  }

  // Times ---------------------------------------------------------------------------------

  const units = [["day", 86400], ["hour", 3600], ["minute", 60]];
  const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });

  function age(moment) {
    const seconds = (Date.now() - moment) / 1000;
    if (seconds >= 30 * 86400) return moment.toLocaleDateString();
    for (const [unit, length] of units) {
      if (seconds >= length) return relative.format(-Math.floor(seconds / length), unit);
    }
    return "just now";
  }

  function showTimes(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const moment = new Date(time.dateTime);
      const text = age(moment);
      if (time.textContent !== text) time.textContent = text;
      const whole = moment.toLocaleString();
      if (time.title !== whole) time.title = whole;
    }
  }

  function follow(root) {
    for (const box of root.querySelectorAll("[data-follow]")) box.scrollTop = box.scrollHeight;
  }

  function refresh(root) {
    showTimes(root);
    follow(root);
    if (window.uPlot) drawCharts(false);
  }

  document.addEventListener("htmx:after:settle", (event) => refresh(event.target));
  setInterval(() => showTimes(document), 20000);

  // The live stream -------------------------------------------------------------------------

  const stream = () => document.getElementById("stream");
  const connected = (yes) => {
    const sign = document.getElementById("connection");
    if (sign) sign.hidden = yes;
    document.documentElement.dataset.live = yes ? "yes" : "no";
  };

  document.addEventListener("htmx:sse:after:connection", () => connected(true));
  document.addEventListener("htmx:sse:error", () => connected(false));

  // hx-sse tries again by itself only after a first success; a refusal at first is ours to mend.
  function tryAgain(seconds) {
    connected(false);
    setTimeout(() => {
      const element = stream();
      if (element && !element._htmx?.sse) {
        htmx.ajax("GET", element.getAttribute("hx-sse:connect"), { source: element, swap: "none" });
      }
    }, seconds * 1000);
  }

  document.addEventListener("htmx:response:error", (event) => {
    const { ctx } = event.detail;
    if (ctx.sourceElement.id !== "stream") return;
    if (ctx.response.status === 401) window.location.reload();
    else tryAgain(Number(ctx.response.headers.get("Retry-After")) || 5);
  });

  document.addEventListener("htmx:error", (event) => {
    if (event.detail.ctx?.sourceElement?.id === "stream") tryAgain(3);
  });

  // The parts of the page. The stream tells their versions; what differs is fetched again.
  const AWAY_MS = 3000;
  const REST = 4; // a part rests for so many times what it took: a busy server is asked less
  const LEAST_REST_MS = 250;
  const TAKES = 3; // the quickest of so many counts: one slow answer is no busy server
  const parts = new Map();

  function partOf(topic) {
    if (!parts.has(topic)) parts.set(topic, { shown: null, wanted: null, etag: null, busy: false, took: [] });
    return parts.get(topic);
  }

  document.addEventListener("changed", (event) => {
    if (event.target !== stream()) return;
    for (const [topic, version] of Object.entries(JSON.parse(event.detail.data))) {
      const part = partOf(topic);
      part.wanted = version;
      if (!part.busy) keepUp(topic, part);
    }
  });

  async function keepUp(topic, part) {
    part.busy = true;
    while (part.shown !== part.wanted) {
      const version = part.wanted;
      const began = performance.now();
      const answered = await fetchPart(topic, part);
      if (answered) part.shown = version;
      part.took = [...part.took, performance.now() - began].slice(-TAKES);
      const rest = answered ? Math.max(LEAST_REST_MS, REST * Math.min(...part.took)) : AWAY_MS;
      await new Promise((resolve) => setTimeout(resolve, rest));
    }
    part.busy = false;
  }

  async function fetchPart(topic, part) {
    const target = document.getElementById(`live-${topic.split(":")[0]}`);
    if (!target) return true;
    let answered = false;
    await htmx.ajax("GET", `/live/part?topic=${encodeURIComponent(topic)}`, {
      source: target,
      target,
      swap: "innerMorph",
      headers: part.etag ? { "If-None-Match": part.etag } : {},
      async fetch(...request) {
        const answer = await fetch(...request);
        answered = answer.ok || answer.status === 304;
        if (!answered) throw new Error(`the part ${topic} was refused: ${answer.status}`);
        part.etag = answer.headers.get("ETag");
        return answer;
      },
    });
    return answered;
  }

  // The account was taken away or changed: the page as it is now says what is left.
  document.addEventListener("bye", (event) => {
    if (event.detail?.data === "account") window.location.reload();
  });

  // Uploads ---------------------------------------------------------------------------------

  const TRIES = [0, 1000, 3000, 5000, 10000, 20000, 30000, 60000];
  const ATONCE = 3;
  const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
  const randomId = () =>
    Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

  class UploadForm {
    constructor(form) {
      this.form = form;
      this.wantsOneFile = form.dataset.upload === "file";
      this.state = form.querySelector("[data-upload-state]");
      this.field = form.querySelector("[data-upload-id]");
      this.submit = form.querySelector("[data-upload-submit]");
      this.run = 0;
      this.running = [];
      this.submit.disabled = true;
      this.name = form.querySelector("#image-name");
      this.nameCheck = form.querySelector("[data-name-check]")?.dataset.nameCheck;
      if (this.nameCheck) this.name.addEventListener("change", () => this.nameIsFree());
      for (const input of form.querySelectorAll("[data-file]")) {
        input.addEventListener("change", () => this.start(fromInput(input)));
      }
      this.listenForDrops(form.querySelector("[data-drop]"));
    }

    listenForDrops(zone) {
      zone.addEventListener("dragover", (event) => {
        event.preventDefault();
        zone.classList.add("is-over");
      });
      zone.addEventListener("dragleave", () => zone.classList.remove("is-over"));
      zone.addEventListener("drop", async (event) => {
        event.preventDefault();
        zone.classList.remove("is-over");
        this.start(await fromDrop(event.dataTransfer));
      });
    }

    async start(files) {
      const run = ++this.run;
      for (const upload of this.running) upload.abort();
      this.running = [];
      this.field.value = "";
      this.submit.disabled = true;
      if (!files.length) return this.say("");
      if (this.wantsOneFile && files.length > 1) return this.say("Choose exactly one file.", "danger");
      const most = Number(this.form.dataset.most || Infinity);
      if (files.some(({ file }) => file.size > most))
        return this.say(`The file is too large. The limit is ${megabytes(most)}.`, "danger");
      this.suggestName(files[0].file);
      if (!(await this.nameIsFree()))
        return this.say("Not uploaded: choose another name, then the file again.", "danger");
      if (run !== this.run) return;
      this.files = files;
      this.total = files.reduce((sum, { file }) => sum + file.size, 0);
      this.sent = new Map();
      this.began = performance.now();
      this.drawBar();
      const batch = this.wantsOneFile ? "" : randomId();
      try {
        const url = await this.sendAll(run, batch);
        if (run !== this.run) return;
        this.field.value = url.split("/").pop().split("-")[0];
        this.say(`${files.length === 1 ? files[0].path : files.length + " files"} uploaded, ${megabytes(this.total)}`, "success");
        this.submit.disabled = false;
      } catch (error) {
        if (run === this.run) this.say(reason(error), "danger");
      }
    }

    async sendAll(run, batch) {
      const waiting = [...this.files];
      let last = "";
      const worker = async () => {
        while (waiting.length && run === this.run) last = await this.sendOne(waiting.shift(), batch);
      };
      await Promise.all(Array.from({ length: ATONCE }, worker));
      return last;
    }

    sendOne({ file, path }, batch) {
      return new Promise((resolve, reject) => {
        const upload = new tus.Upload(file, {
          endpoint: "/uploads/",
          retryDelays: TRIES,
          uploadDataDuringCreation: true,
          storeFingerprintForResuming: !batch,
          removeFingerprintOnSuccess: true,
          headers: { "X-CSRFToken": csrfToken() },
          metadata: batch ? { filename: file.name, batch, path } : { filename: file.name },
          onShouldRetry: (error) => {
            const status = error.originalResponse?.getStatus() ?? 0;
            if (status === 507) return false; // a full disk: told at once, and not tried again
            return status === 0 || status >= 500 || status === 423 || status === 409;
          },
          onProgress: (sent) => {
            this.sent.set(path, sent);
            this.moveBar();
          },
          onSuccess: () => resolve(upload.url),
          onError: reject,
        });
        this.running.push(upload);
        if (batch) return upload.start();
        upload.findPreviousUploads().then((previous) => {
          if (previous.length) upload.resumeFromPreviousUpload(previous[0]);
          upload.start();
        });
      });
    }

    // A taken name is refused before hours of uploading, not after.
    async nameIsFree() {
      if (!this.nameCheck) return true;
      const answer = await fetch(`${this.nameCheck}?name=${encodeURIComponent(this.name.value)}`).catch(() => null);
      const taken = answer?.status === 409;
      this.form.querySelector("[data-name-state]").textContent = taken ? await answer.text() : "";
      this.name.classList.toggle("is-invalid", taken);
      return !taken;
    }

    suggestName(file) {
      const name = this.name;
      if (name && !name.value) name.value = file.name.replace(/\.(wim|esd|iso)$/i, "").slice(0, 64);
    }

    drawBar() {
      this.bar = document.createElement("progress");
      this.bar.className = "bar";
      this.bar.max = Math.max(1, this.total);
      this.bar.value = 0;
      this.bar.setAttribute("aria-label", "Upload");
      this.text = document.createElement("div");
      this.text.className = "text-secondary";
      this.state.replaceChildren(this.bar, this.text);
    }

    moveBar() {
      const sent = [...this.sent.values()].reduce((sum, bytes) => sum + bytes, 0);
      const rate = sent / Math.max(0.5, (performance.now() - this.began) / 1000);
      this.bar.value = sent;
      this.text.textContent =
        `${Math.floor((100 * sent) / Math.max(1, this.total))} % of ${megabytes(this.total)}, ${megabytes(rate)}/s`;
    }

    say(text, kind = "info") {
      const box = document.createElement("div");
      box.className = text ? `alert alert-${kind} mt-2 mb-0` : "";
      box.textContent = text;
      this.state.replaceChildren(box);
    }
  }

  const reason = (error) =>
    error.originalResponse?.getBody() || "The upload stopped because the server cannot be reached. Choose the file again to resume.";

  const fromInput = (input) =>
    Array.from(input.files, (file) => ({ file, path: file.webkitRelativePath || file.name }));

  async function fromDrop(transfer) {
    const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry()).filter(Boolean);
    const found = [];
    for (const entry of entries) await walk(entry, found);
    return found;
  }

  async function walk(entry, found) {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      found.push({ file, path: entry.fullPath.replace(/^\//, "") });
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!part.length) return;
      for (const child of part) await walk(child, found);
    }
  }

  // Charts ----------------------------------------------------------------------------------

  const CHART_HEIGHT = 160;
  const charts = new Map();

  function chartStyle(box) {
    const style = getComputedStyle(box);
    const colour = (name) => style.getPropertyValue(name).trim();
    const axis = {
      stroke: colour("--nb-secondary"),
      grid: { stroke: colour("--nb-line"), width: 1 },
      ticks: { show: false },
      font: "12px system-ui",
    };
    const base = {
      width: box.clientWidth,
      height: CHART_HEIGHT,
      legend: { show: false },
      cursor: { show: false },
    };
    return { colour, axis, base };
  }

  // Ticks of whole minutes, so that no two say the same; a single point has one tick: its own.
  function timeTicks(plot, _axis, low, high, step) {
    const times = plot.data[0];
    if (times.length === 1) return [times[0]];
    const width = Math.max(60, step);
    const first = Math.ceil(low / width) * width;
    return Array.from({ length: Math.max(0, Math.floor((high - first) / width) + 1) }, (_, n) => first + n * width);
  }

  // Each kind of chart: its columns out of the points, and how uPlot draws them.
  const KINDS = {
    hours: {
      data: ({ starts, online, other }) => [starts, online.map((count, n) => count + other[n]), online],
      options({ colour, axis, base }) {
        const bars = uPlot.paths.bars({ size: [0.7, 28] });
        const series = (name) => ({ paths: bars, fill: colour(name), width: 0, points: { show: false } });
        return {
          ...base,
          scales: { x: { range: (_, low, high) => [low - 1800, high + 1800] }, y: { range: (_, low, high) => [0, Math.max(4, high)] } },
          axes: [
            { ...axis, size: 26, grid: { show: false }, splits: timeTicks, values: (_, at) => at.map(clock), space: 60 },
            { ...axis, size: 38, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] },
          ],
          series: [{}, series("--nb-chart-other"), series("--nb-chart-online")],
        };
      },
    },
    rates: {
      data: ({ x, y }) => [x, y],
      options({ colour, axis, base }) {
        return {
          ...base,
          scales: { x: { range: (_, low, high) => padded(low, high, 60) }, y: { range: (_, low, high) => [0, high * 1.1 || 1] } },
          axes: [
            { ...axis, size: 26, grid: { show: false }, space: 90, splits: timeTicks, values: (_, at) => at.map(clock) },
            { ...axis, size: 38 },
          ],
          series: [{}, { paths: () => null, points: { show: true, size: 7, width: 0, fill: colour("--nb-chart-line") } }],
        };
      },
    },
    speed: {
      data: ({ x, y }) => [x, y],
      options({ colour, axis, base }) {
        return {
          ...base,
          scales: { x: { time: false, range: (_, low, high) => [0, Math.max(high, 1)] }, y: { range: (_, low, high) => [0, high * 1.1 || 1] } },
          axes: [
            { ...axis, size: 26, grid: { show: false }, space: 60, values: (_, at) => at.map((s) => `${s} s`) },
            { ...axis, size: 38 },
          ],
          series: [{}, { paths: uPlot.paths.stepped({ align: 1 }), stroke: colour("--nb-chart-line"), fill: colour("--nb-chart-fill"), width: 2, points: { show: false } }],
        };
      },
    },
  };

  const padded = (low, high, least) => {
    const edge = Math.max(least, (high - low) * 0.03);
    return [low - edge, high + edge];
  };
  const clock = (seconds) =>
    new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

  function draw(box) {
    const kind = KINDS[box.dataset.chart];
    const known = charts.get(box);
    if (known && known.drawn === box.dataset.points) return;
    const data = kind.data(JSON.parse(box.dataset.points));
    if (known && document.contains(known.plot.root)) {
      known.drawn = box.dataset.points;
      known.plot.setData(data);
      return;
    }
    box.replaceChildren();
    charts.set(box, { plot: new uPlot(kind.options(chartStyle(box)), data, box), drawn: box.dataset.points });
  }

  function drawCharts(again) {
    if (again) charts.clear();
    for (const box of charts.keys()) if (!document.contains(box)) charts.delete(box);
    for (const box of document.querySelectorAll("[data-chart]")) draw(box);
  }

  document.addEventListener("netboot:theme", () => drawCharts(true));
  window.addEventListener("resize", () => {
    for (const [box, { plot }] of charts) plot.setSize({ width: box.clientWidth, height: CHART_HEIGHT });
  });

  // Keys ------------------------------------------------------------------------------------

  // `/` searches, `?` lists the keys, `g` and a letter goes to a page: letters stand in the
  // navigation as data-key. Nothing happens while the user types or a dialog is open.
  let going = 0;

  function typing(target) {
    return target.closest?.("input, textarea, select, [contenteditable]") || document.querySelector("dialog[open], .modal.show");
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (Date.now() - going < 1500) {
      going = 0;
      const link = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
      if (link) {
        event.preventDefault();
        link.click();
      }
      return;
    }
    if (event.key === "g") going = Date.now();
    if (event.key === "?") document.getElementById("keys")?.showModal();
    if (event.key === "/") {
      const field = document.querySelector("main [data-search], main input[type=search]");
      if (field) {
        event.preventDefault();
        field.focus();
        field.select();
      }
    }
  });

  document.addEventListener("change", (event) => event.target.closest("form[data-autosubmit]")?.requestSubmit());

  // A page begins ---------------------------------------------------------------------------

  document.addEventListener("DOMContentLoaded", () => {
    refresh(document);
    const versions = JSON.parse(stream()?.dataset.versions ?? "{}");
    for (const [topic, version] of Object.entries(versions)) partOf(topic).shown = version;
    for (const form of document.querySelectorAll("form[data-upload]")) new UploadForm(form);
    const modal = document.querySelector(".modal[data-open]");
    if (modal) tabler.bootstrap.Modal.getOrCreateInstance(modal).show();
  });
})();
