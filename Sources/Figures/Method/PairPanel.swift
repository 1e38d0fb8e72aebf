// The panel of a minimal pair: both members as waveform and log-mel over one axis of time, their phones,
// and how far apart they are.

import Interventions
import Plot

extension Color {
  /// The two members of a pair, wherever Figure 1 shows them.
  static let clean = Palette.categories[0]
  static let corrupt = Palette.categories[2]
}

extension Figure {
  /// Both members of the pair, one below the other.
  mutating func addPair(_ letter: String, _ data: MethodData, _ sound: PairSound, in outer: Rect) {
    let (left, right) = (outer.left + 11, outer.right - 1)
    func strip(_ top: Double, _ height: Double) -> Rect {
      Rect(left: left, top: outer.top + top, width: right - left, height: height)
    }
    let (start, end) = (sound.edges.first!, sound.edges.last!)
    let (waveHeight, melHeight, block) = (6.5, 11.5, 27.0)
    let loudest = (sound.clean.envelope + sound.corrupt.envelope)
      .reduce(0) { max($0, -$1.low, $1.high) }
    let levels = (sound.clean.mel + sound.corrupt.mel).joined()
    let colors = ColorScale.sequential(levels.min()!...levels.max()!)
    let members = [
      (data.clean, sound.clean, "clean", data.pair.answers.clean, Color.clean),
      (data.corrupt, sound.corrupt, "corrupt", data.pair.answers.corrupt, .corrupt),
    ]
    let changed = data.pair.clean.phones[data.pair.changedPhone]
    func label(_ member: HeardMember) -> String {
      ipa(member.utterance.phones[data.pair.changedPhone].label)
    }
    /// The bounds of the changed phone.
    func mark(_ strip: Rect, on canvas: Canvas) {
      let frame = Frame(strip, x: start...end, y: 0...1)
      for time in [0, changed.end - changed.start] {
        canvas.stroke(
          .line(Point(frame.x(time), strip.top), Point(frame.x(time), strip.bottom)),
          Pen(PhoneTrack([]).accent, width: 0.7, dashes: [0.8, 0.6]))
      }
    }
    draw { canvas in
      let (a, b) = (label(data.clean), label(data.corrupt))
      canvas.panelTitle(letter, "A minimal pair: one phone differs, /\(a)/ or /\(b)/", in: outer)
    }
    for (i, (member, picture, name, answer, color)) in members.enumerated() {
      let top = 6 + block * Double(i)
      let (wave, mel) = (strip(top + 3.2, waveHeight), strip(top + 3.6 + waveHeight, melHeight))
      let phones = strip(top + 3.6 + waveHeight + melHeight + PhoneTrack.gap, PhoneTrack.height)
      draw { canvas in
        let base = Point(left, outer.top + top + canvas.capHeight(Style.small))
        let bold = TextStyle(size: 6, weight: .bold, color: color)
        canvas.text(name, at: base, bold)
        canvas.text(
          "\u{201C}\(member.utterance.text)\u{201D}",
          at: Point(left + canvas.width(of: name, bold) + 1.2, base.y), Style.small)
        canvas.text(
          "\(data.pair.prompt) \(answer)", at: Point(right, base.y), Style.small, align: .right)
        // The boxes of phones end above their strip.
        for (name, y) in [
          ("wave", wave.center.y), ("log-mel", mel.center.y), ("phones", phones.center.y - 0.35),
        ] {
          canvas.text(name, at: Point(left - 1.2, y), Style.small, align: .right, .middle)
        }
        Envelope(values: picture.envelope, color: color)
          .draw(on: canvas, in: Frame(wave, x: start...end, y: -loudest...loudest))
        let grid = CellGrid(
          columns: sound.edges, rows: (0...picture.mel.count).map(Double.init))
        HeatMap(picture.mel, over: grid, colors)
          .draw(
            on: canvas, in: Frame(mel, x: start...end, y: 0...Double(picture.mel.count)))
        track(data.phones(of: member))
          .draw(on: canvas, in: Frame(phones, x: start...end, y: 0...1))
        mark(Rect(Point(left, wave.top), Point(right, phones.top)), on: canvas)
      }
    }
    let top = 6 + block * Double(members.count)
    let apart = strip(top, 7)
    let largest = roundRange(containing: [0] + sound.difference.map(\.value), about: 2)
    add(
      Panel(
        in: apart, margins: Insets(),
        x: Axis(
          "Time from the onset of the changed phone (ms)", start...end,
          ticks: ticks(in: start...end, about: 6)),
        y: Axis("", largest, ticks: ticks(in: largest, about: 2)),
        [Hill(values: sound.difference)]))
    draw { canvas in
      canvas.text(
        "log-mel |\u{0394}| (dB)", at: Point(left + 1, apart.top + 0.6), Style.small, .top)
      mark(apart, on: canvas)
    }
  }
}

/// Phones whose labels are not below 6 points.
private func track(_ phones: [PhoneSpan]) -> PhoneTrack {
  var track = PhoneTrack(
    phones.filter { !$0.label.isEmpty }
      .map { .init($0.label, $0.start, $0.end, highlighted: $0.changed) })
  track.smallest = 6
  return track
}

extension Canvas {
  /// Letter and title as `Panel` sets them, for what is no panel of data.
  func panelTitle(_ letter: String, _ title: String, in outer: Rect) {
    let baseline = outer.top + capHeight(Style.letter)
    text(letter, at: Point(outer.left, baseline), Style.letter)
    text(
      title, at: Point(outer.left + width(of: letter, Style.letter) + 1.6, baseline), Style.title)
  }
}

/// A waveform by its lowest and highest samples.
private struct Envelope: Mark {
  let values: [(time: Double, low: Double, high: Double)]
  let color: Color

  func draw(on canvas: Canvas, in frame: Frame) {
    canvas.clipped(to: .rectangle(frame.area)) {
      let upper = values.map { frame($0.time, $0.high) }
      let lower = values.reversed().map { frame($0.time, $0.low) }
      canvas.fill(.polygon(upper + lower), color)
      canvas.stroke(.polygon(upper + lower), Pen(color, width: 0.25))
    }
  }
}

/// The area between zero and a curve.
private struct Hill: Mark {
  let values: [(time: Double, value: Double)]

  func draw(on canvas: Canvas, in frame: Frame) {
    let curve = values.map { frame($0.time, $0.value) }
    guard let first = values.first, let last = values.last else { return }
    canvas.fill(.polygon([frame(first.time, 0)] + curve + [frame(last.time, 0)]), .muted)
  }
}
