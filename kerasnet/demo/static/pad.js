// The sheet to draw on with mouse, finger, pen or keyboard. Strokes are lists of points in [0, 1].
"use strict";

class Pad {
  static WIDTH = 0.07; // of a stroke
  static STEP = 0.03; // of the pen when an arrow key is pressed

  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.strokes = [];
    this.photograph = null;
    this.pen = null; // position of the keyboard's pen; null if the keyboard is not used
    this.isDown = false;
    this.arrows = new Set();
    this.pointer = null;
    for (const [type, handler] of Object.entries({
      pointerdown: this.press, pointermove: this.move, pointerup: this.release, pointercancel: this.release,
      focus: this.enter, keydown: this.key, keyup: this.keyUp, blur: this.leave,
    })) {
      canvas.addEventListener(type, handler.bind(this));
    }
    new ResizeObserver(() => this.render()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.render());
  }

  get isEmpty() {
    return !this.strokes.length && !this.photograph;
  }

  get content() {
    const { length } = this.strokes;
    return this.photograph ? "a photograph" : length ? `${length} ${length === 1 ? "stroke" : "strokes"}` : "empty";
  }

  position(event) {
    const box = this.canvas.getBoundingClientRect();
    const within = (value) => Math.min(1, Math.max(0, value));
    return [within((event.clientX - box.left) / box.width), within((event.clientY - box.top) / box.height)];
  }

  press(event) {
    if (event.button !== 0 || this.pointer !== null) return;
    this.pointer = event.pointerId;
    getSelection().removeAllRanges(); // dragging selected text would end the stroke
    this.canvas.setPointerCapture(event.pointerId);
    this.leave();
    this.begin(this.position(event));
  }

  move(event) {
    if (event.pointerId !== this.pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) this.strokes.at(-1).push(this.position(each));
    this.update();
  }

  release(event) {
    if (event.pointerId === this.pointer) this.pointer = null;
  }

  begin(point) {
    this.photograph = null;
    this.strokes.push([point]);
    this.update();
  }

  key(event) {
    const isUndo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
    if (isUndo) {
      this.undo();
    } else if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    } else if (event.key === " ") {
      if (!event.repeat) this.lower();
    } else if (event.key.startsWith("Arrow")) {
      this.arrows.add(event.key);
      this.step();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.clear();
    } else {
      return;
    }
    event.preventDefault();
  }

  keyUp(event) {
    this.arrows.delete(event.key);
  }

  enter() {
    if (this.canvas.matches(":focus-visible")) this.pen = [0.5, 0.5];
    this.render();
  }

  leave() {
    this.arrows.clear();
    this.pen = null;
    this.isDown = false;
    this.render();
  }

  lower() {
    this.pen ??= [0.5, 0.5];
    this.isDown = !this.isDown;
    if (this.isDown) this.begin(this.pen);
    else this.render();
  }

  step() {
    const way = (less, more) => Pad.STEP * (this.arrows.has(more) - this.arrows.has(less));
    const [x, y] = this.pen ?? [0.5, 0.5];
    const within = (value) => Math.min(1, Math.max(0, value));
    this.pen = [within(x + way("ArrowLeft", "ArrowRight")), within(y + way("ArrowUp", "ArrowDown"))];
    if (this.isDown) this.strokes.at(-1).push(this.pen);
    if (this.isDown) this.update();
    else this.render();
  }

  undo() {
    if (this.pointer !== null) return;
    this.isDown = false;
    if (this.photograph) this.photograph = null;
    else this.strokes.pop();
    this.update();
  }

  clear() {
    this.pointer = null;
    this.isDown = false;
    this.strokes = [];
    this.photograph = null;
    this.update();
  }

  show(photograph) {
    this.clear();
    this.photograph = photograph;
    this.update();
  }

  update() {
    this.render();
    this.changed();
  }

  render() {
    const size = Math.round(this.canvas.clientWidth * devicePixelRatio);
    if (this.canvas.width !== size) this.canvas.width = this.canvas.height = size;
    const context = this.canvas.getContext("2d"), style = getComputedStyle(this.canvas);
    context.clearRect(0, 0, size, size);
    if (this.photograph?.bitmap) {
      const { bitmap } = this.photograph, factor = size / Math.max(bitmap.width, bitmap.height);
      const [width, height] = [bitmap.width * factor, bitmap.height * factor];
      context.drawImage(bitmap, (size - width) / 2, (size - height) / 2, width, height);
    }
    this.drawStrokes(context, [0, 0], size, style.color);
    if (this.pen) {
      context.strokeStyle = style.getPropertyValue("--accent");
      context.lineWidth = size * 0.008;
      context.beginPath();
      context.arc(this.pen[0] * size, this.pen[1] * size, size * (this.isDown ? 0.035 : 0.06), 0, 2 * Math.PI);
      context.stroke();
    }
  }

  // Draw the sheet in the square with the corner `place` and the side `size`.
  drawStrokes(context, place, size, color, lineWidth = Pad.WIDTH * size) {
    context.strokeStyle = context.fillStyle = color;
    context.lineWidth = lineWidth;
    context.lineCap = context.lineJoin = "round";
    for (const stroke of this.strokes) {
      const points = stroke.map(([x, y]) => [place[0] + x * size, place[1] + y * size]);
      context.beginPath();
      context.moveTo(...points[0]);
      points.slice(1).forEach(([x, y], index) => {
        const [fromX, fromY] = points[index];
        context.quadraticCurveTo(fromX, fromY, (fromX + x) / 2, (fromY + y) / 2);
      });
      context.lineTo(...points.at(-1));
      context.stroke();
    }
  }

  // The drawing as a PGM file: black on white, with a margin, because ink at the edge of an image is not read.
  toFile() {
    const size = 256, margin = 20;
    this.hiddenCanvas ??= new OffscreenCanvas(size, size);
    const context = this.hiddenCanvas.getContext("2d", { willReadFrequently: true });
    context.fillStyle = "white";
    context.fillRect(0, 0, size, size);
    this.drawStrokes(context, [margin, margin], size - 2 * margin, "black");
    const pixels = context.getImageData(0, 0, size, size).data;
    const header = new TextEncoder().encode(`P5 ${size} ${size} 255\n`);
    const file = new Uint8Array(header.length + size * size);
    file.set(header);
    for (let index = 0; index < size * size; index++) file[header.length + index] = pixels[4 * index];
    return file;
  }
}
