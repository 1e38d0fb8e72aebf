// Panels on a page, and the page in files.

import Foundation

/// One panel: a letter and a title, two axes, and marks between them.
public struct Panel {
  /// All the room of the panel in millimetres; letter and title start at its top left corner.
  public var outer: Rect
  public var letter: String
  public var title: String
  /// The room around the data area, for letter, axes and titles.
  public var margins: Insets
  public var x: Axis
  public var y: Axis
  /// Phones between the data and the axis of time.
  public var track: PhoneTrack?
  /// What is drawn, the first at the back.
  public var marks: [any Mark]

  /// Room for numbers and a title at the left and at the bottom, and for a letter at the top.
  public static let margins = Insets(left: 12, right: 2, top: 5.5, bottom: 10)

  public init(
    _ letter: String = "", _ title: String = "", in outer: Rect, margins: Insets = Panel.margins,
    x: Axis, y: Axis, track: PhoneTrack? = nil, _ marks: [any Mark]
  ) {
    self.outer = outer
    self.letter = letter
    self.title = title
    self.margins = margins
    self.x = x
    self.y = y
    self.track = track
    self.marks = marks
  }

  /// The rectangle of the data, in millimetres.
  public var area: Rect { outer.inset(by: margins) }

  /// The map from data to the page.
  public var frame: Frame { Frame(area, x: x.lower...x.upper, y: y.lower...y.upper) }

  /// Draws the panel: marks first, so that axes stay visible.
  public func draw(on canvas: Canvas) {
    for mark in marks { mark.draw(on: canvas, in: frame) }
    if let track {
      let strip = Rect(
        left: area.left, top: area.bottom + PhoneTrack.gap, width: area.width,
        height: PhoneTrack.height)
      track.draw(on: canvas, in: Frame(strip, x: x.lower...x.upper, y: 0...1))
    }
    let below = track != nil ? PhoneTrack.gap + PhoneTrack.height : x.line ? Style.offset : 0
    x.drawBelow(area, offset: below, on: canvas)
    y.drawLeft(of: area, offset: y.line ? Style.offset : 0, on: canvas)
    let baseline = outer.top + canvas.capHeight(Style.letter)
    canvas.text(letter, at: Point(outer.left, baseline), Style.letter)
    let indent = letter.isEmpty ? 0 : canvas.width(of: letter, Style.letter) + 1.6
    canvas.text(title, at: Point(outer.left + indent, baseline), Style.title)
  }
}

/// A page that panels and other things are put on, and that is written as PDF and SVG.
public struct Figure {
  /// The width of one column of text, and of the whole page, in millimetres.
  public static let column = 88.0
  public static let full = 180.0

  /// Size in millimetres.
  public let width: Double
  public let height: Double
  private var drawings: [(Canvas) -> Void] = []

  public init(width: Double, height: Double) {
    precondition(width > 0 && height > 0, "a figure of \(width) by \(height) mm")
    self.width = width
    self.height = height
  }

  /// The whole page without a margin of 1 mm that keeps ink from its edge.
  public var area: Rect { Rect(left: 0, top: 0, width: width, height: height).inset(by: 1) }

  /// Puts a panel on the page.
  public mutating func add(_ panel: Panel) { drawings.append(panel.draw) }

  /// Puts a colour bar on the page.
  public mutating func add(_ bar: ColorBar) { drawings.append(bar.draw) }

  /// Puts anything else on the page; later drawings cover earlier ones.
  public mutating func draw(_ drawing: @escaping (Canvas) -> Void) { drawings.append(drawing) }

  /// The figure with a mark that no one can miss: pale across the drawing, and in words below it.
  public func marked(_ mark: String, _ words: String) -> Figure {
    var figure = Figure(width: width, height: height + 6)
    figure.drawings = drawings
    figure.draw { canvas in
      var style = TextStyle(size: 1, weight: .bold, color: Color.ink.opacity(0.09))
      style.size = min(0.8 * width / canvas.width(of: mark, style), 120)
      canvas.text(mark, at: Point(width / 2, height / 2), style, align: .center, .middle)
      canvas.text(
        words, at: Point(width / 2, height + 2.5),
        TextStyle(size: 8, weight: .bold, color: Palette.categories[1]), align: .center, .middle)
    }
    return figure
  }

  /// Writes the figure. Nothing is written unless everything could be drawn; a file appears under its
  /// name only when it is complete. The same figure is the same bytes.
  ///
  /// - Parameters:
  ///   - description: what the figure shows, for those who cannot see it.
  ///   - stamp: where the figure comes from (digests, seed), kept in both files; never the time.
  public func write(
    pdf: URL? = nil, svg: URL? = nil, title: String, description: String, stamp: String
  ) throws {
    let info = Canvas.Info(title: title, description: description, stamp: stamp)
    let paint = { canvas in for drawing in drawings { drawing(canvas) } }
    var files: [(URL, [UInt8])] = []
    if let pdf {
      let page = try Canvas.render(
        .pdf, width: width, height: height, info: info, name: pdf.path, paint)
      files.append((pdf, page.bytes))
    }
    if let svg {
      let page = try Canvas.render(
        .svg, width: width, height: height, info: info, name: svg.path, paint)
      files.append(
        (svg, try annotated(svg: page.bytes, info, texts: page.texts, name: svg.path)))
    }
    for (url, bytes) in files {
      do {
        // Atomic: a temporary file in the same folder, then renamed.
        try Data(bytes).write(to: url, options: .atomic)
      } catch {
        // What the system says is below what Foundation makes of it.
        let cause = (error as NSError).userInfo[NSUnderlyingErrorKey] as? any Error
        let reason =
          cause.map { String(cString: strerror(Int32(($0 as NSError).code))) }
          ?? error.localizedDescription
        throw PlotError("\(url.path): cannot be written: \(reason)")
      }
    }
  }
}
