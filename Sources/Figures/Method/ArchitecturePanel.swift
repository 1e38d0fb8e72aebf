// The panel of a model's architecture, drawn from its scheme: sound at the bottom, the answer on top, and
// the places where activations are exchanged.

import Interventions
import Plot
import Speech

extension Figure {
  mutating func addArchitecture(
    _ letter: String, _ data: MethodData, _ sound: PairSound, in outer: Rect
  ) {
    let drawing = Architecture(data: data, sound: sound, outer: outer)
    draw { canvas in
      canvas.panelTitle(letter, "Places of intervention", in: outer)
      drawing.draw(on: canvas)
    }
  }
}

/// A chain of stages as boxes, each as wide as all positions of the run there.
private struct Architecture {
  let data: MethodData
  let sound: PairSound
  let outer: Rect

  /// The left and right edge of the boxes; behind it stands what they are.
  private var left: Double { outer.left + 4 }
  private var width: Double { 18.5 }
  private var right: Double { left + width }
  /// Space between two boxes, in which a place of intervention lies, and between two stages.
  let gap = 2.0
  let step = 4.5
  let thin = Pen(.ink, width: 0.5)
  let light = Color(0xEDEDED)
  let dark = Color(0xCFCFCF)

  func draw(on canvas: Canvas) {
    let (front, splice, top) = (5 + 2 * step + 5 - gap, 7.0, 6.5)
    let layers = data.scheme.reduce(0) { $0 + max($1.layers, 1) }
    let stages = Double(data.scheme.count) * (step - gap)
    var y = drawKey(on: canvas)
    let height = (y - outer.top - 6 - front - splice - top - stages) / Double(layers) - gap
    y = drawFrontEnd(y, on: canvas)
    var encoderTop = y
    for stage in data.scheme {
      let isText = stage.spans.contains(nil)
      if isText { y = drawPrompt(stage, y, on: canvas) }
      let bottom = y
      y = draw(stage, bottom, height, isText: isText, on: canvas)
      if stage.attendsAcross { drawAcross(from: encoderTop, to: (bottom + y) / 2, on: canvas) }
      if stage.stage == .encoder { encoderTop = y }
      y -= isText ? 0 : step - gap
    }
    drawAnswer(y, on: canvas)
  }

  // ## From bottom to top; each gives the height at which the next one begins

  private func drawKey(on canvas: Canvas) -> Double {
    let indent = 2.6
    let text = canvas.broken(
      "residual stream, in one window or at one position; inside layers also "
        + data.inside.joined(separator: ", ") + " (\(data.siteCount) sites)",
      width: outer.width - indent)
    let lines = text.count { $0 == "\n" }
    let top =
      outer.bottom - canvas.capHeight(Style.small) - Double(lines) * canvas.lineHeight(Style.small)
      - 0.5
    node(Point(outer.left + 0.9, top + canvas.capHeight(Style.small) / 2), on: canvas)
    canvas.text(text, at: Point(outer.left + indent, top), Style.small, .top)
    return top - 3
  }

  private func drawFrontEnd(_ bottom: Double, on canvas: Canvas) -> Double {
    let clip = data.clean.clip
    let wave = Rect(left: left, top: bottom - 5, width: width, height: 5)
    let loudest = sound.clean.envelope.reduce(0) { max($0, -$1.low, $1.high) }
    let frame = Frame(
      wave, x: sound.edges.first!...sound.edges.last!, y: -loudest...loudest)
    canvas.clipped(to: .rectangle(wave)) {
      canvas.fill(
        .polygon(
          sound.clean.envelope.map { frame($0.time, $0.high) }
            + sound.clean.envelope.reversed().map { frame($0.time, $0.low) }), .muted)
    }
    describe(["sound", "\(data.clean.wave.rate / 1000) kHz"], wave, on: canvas)
    let mel = Rect(left: left, top: wave.top - step - 5, width: width, height: 5)
    connect(wave, mel, on: canvas)
    box(mel, light, on: canvas)
    let hop = 1000 * LogMel.hop / LogMel.rate
    describe(
      ["log-mel", "\(clip.mel.width) bands", "\(hop) ms a frame"], mel, on: canvas)
    canvas.arrow(
      Point(mel.center.x, mel.top), Point(mel.center.x, mel.top - step + gap), thin)
    return mel.top - step + gap
  }

  /// The layers of a stage, or its one box, with the places behind each of them.
  private func draw(
    _ stage: SchemeStage, _ bottom: Double, _ height: Double, isText: Bool, on canvas: Canvas
  ) -> Double {
    var y = bottom
    let boxes = max(stage.layers, 1)
    // A site before the first layer.
    if stage.layers > 0, stage.sites.count > stage.layers {
      nodes(stage, y - gap / 2, isText, on: canvas)
    }
    y -= gap
    for i in 0..<boxes {
      let area = Rect(left: left, top: y - height, width: width, height: height)
      box(area, isText && i < stage.early ? dark : light, on: canvas)
      if stage.layers > 0 {
        canvas.text("\(i)", at: Point(area.left + 1, area.center.y), Style.small, .middle)
      }
      y = area.top
      nodes(stage, y - gap / 2, isText, on: canvas)
      if i + 1 < boxes { y -= gap }
    }
    let whole = Rect(left: left, top: y, width: width, height: bottom - gap - y)
    var lines = stage.stage == .lm ? ["language", "model"] : [stage.stage.rawValue]
    if stage.layers > 0 { lines.append("\(stage.layers) layers") }
    lines.append("width \(stage.width)")
    if let milliseconds = stage.milliseconds {
      lines.append("\(stage.spans.count) \u{00D7} \(Int(milliseconds)) ms")
    }
    describe(lines, bold: stage.stage == .lm ? 2 : 1, whole, on: canvas)
    if isText, stage.early > 0 {
      let end = bottom - gap - Double(stage.early) * (height + gap) + gap
      let x = left - 1
      canvas.stroke(.line(Point(x, bottom - gap), Point(x, end)), Pen(.ink, width: 0.9))
      canvas.text(
        "first third", at: Point(x - 0.8, (bottom - gap + end) / 2), Style.small, align: .center,
        upwards: true)
    }
    return y - (isText ? gap : 0)
  }

  /// The prompt, token by token: sound where the connector's output is spliced in, else text.
  private func drawPrompt(_ stage: SchemeStage, _ bottom: Double, on canvas: Canvas) -> Double {
    let sounding = stage.spans.indices.filter { stage.spans[$0] != nil }
    let strip = Rect(left: left, top: bottom - 7, width: width, height: 3)
    let cell = width / Double(stage.spans.count)
    let changed = Set(data.window.positions(in: stage.spans))
    for i in stage.spans.indices {
      let token = Rect(left: left + Double(i) * cell, top: strip.top, width: cell, height: 3)
      let isAnswer = i == stage.spans.count - 1
      let color: Color =
        changed.contains(i) || isAnswer ? .ink : stage.spans[i] == nil ? .white : dark
      canvas.fill(.rectangle(token), color)
      canvas.stroke(.rectangle(token), Pen(.white, width: 0.25))
    }
    canvas.stroke(.rectangle(strip), thin)
    if let first = sounding.first, let last = sounding.last {
      let (a, b) = (left + Double(first) * cell, left + Double(last + 1) * cell)
      for (from, to) in [(left, a), (right, b)] {
        canvas.stroke(
          .line(Point(from, bottom + step - 1.5 * gap), Point(to, strip.bottom)),
          Pen(.muted, width: 0.5))
      }
      describe(
        ["prompt", "\(sounding.count) of sound,", "\(stage.spans.count - sounding.count) of text"],
        strip, on: canvas)
    }
    return strip.top
  }

  private func drawAcross(from encoder: Double, to stage: Double, on canvas: Canvas) {
    let x = left - 1.6
    canvas.stroke(.polyline([Point(left, encoder), Point(x, encoder), Point(x, stage)]), thin)
    canvas.arrow(Point(x, stage), Point(left, stage), thin)
    canvas.text(
      "cross-attention", at: Point(x - 0.6, (encoder + stage) / 2), Style.small, align: .center,
      upwards: true)
  }

  private func drawAnswer(_ bottom: Double, on canvas: Canvas) {
    guard let text = data.scheme.last else { return }
    let x = place(of: text.spans.count - 1, in: text)
    canvas.arrow(Point(x, bottom), Point(x, bottom - 3), thin)
    let (a, b) = (data.pair.answers.clean, data.pair.answers.corrupt)
    canvas.text(
      "LD = log p(\(a)) \u{2212} log p(\(b))", at: Point(outer.left, bottom - 4.2), Style.small)
    canvas.text("answer\u{2019}s\nposition", at: Point(right + 1.8, bottom - 1.8), Style.small)
  }

  // ## Parts

  /// Where a position of a stage lies along its box.
  private func place(of position: Int, in stage: SchemeStage) -> Double {
    left + (Double(position) + 0.5) / Double(stage.spans.count) * width
  }

  /// The places behind a layer: the window of the changed phone and, in text, the answer's position.
  private func nodes(_ stage: SchemeStage, _ y: Double, _ isText: Bool, on canvas: Canvas) {
    canvas.stroke(
      .line(Point(left + 0.4, y), Point(right - 0.4, y)), Pen(.faint, width: 0.5))
    let own = data.window.positions(in: stage.spans)
    if let first = own.first, let last = own.last {
      let x = (place(of: first, in: stage) + place(of: last, in: stage)) / 2
      node(Point(x, y), on: canvas)
    }
    if isText { node(Point(place(of: stage.spans.count - 1, in: stage), y), on: canvas) }
  }

  private func node(_ p: Point, on canvas: Canvas) {
    canvas.symbol(.circle, at: p, size: 1.5, .ink)
  }

  private func box(_ area: Rect, _ color: Color, on canvas: Canvas) {
    canvas.fill(.rectangle(area), color)
    canvas.stroke(.rectangle(area), thin)
  }

  private func connect(_ lower: Rect, _ upper: Rect, on canvas: Canvas) {
    canvas.arrow(
      Point(lower.center.x, lower.top - 0.4), Point(lower.center.x, upper.bottom), thin)
  }

  /// Lines beside a box, the first of them its name.
  private func describe(_ lines: [String], bold: Int = 1, _ area: Rect, on canvas: Canvas) {
    let line = canvas.lineHeight(Style.small)
    let height = canvas.capHeight(Style.small) + Double(lines.count - 1) * line
    for (i, text) in lines.enumerated() {
      var style = Style.small
      if i < bold { style.weight = .bold }
      canvas.text(
        text, at: Point(right + 1.8, area.center.y - height / 2 + Double(i) * line), style, .top)
    }
  }
}
