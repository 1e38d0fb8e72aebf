// The drawing surface: the only file that knows Cairo and FreeType.
//
// Goals, in order: the same drawing is the same bytes wherever and whenever it is made (fixed date,
// bundled font, no hinting, nothing of the host); what cannot be drawn is an error, never a hole;
// text stays text.

import CCairo
import Foundation
import Synchronization

/// Why a figure could not be drawn or written.
public struct PlotError: Error, Equatable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}

/// How text is set. The typeface is Inter, which is bundled.
public struct TextStyle: Equatable, Sendable {
  /// A cut of the typeface.
  public enum Weight: String, Sendable, CaseIterable {
    case regular = "Inter-Regular"
    case bold = "Inter-SemiBold"
  }

  /// The size in points.
  public var size: Double
  public var weight: Weight
  public var color: Color

  public init(size: Double, weight: Weight = .regular, color: Color = .ink) {
    self.size = size
    self.weight = weight
    self.color = color
  }
}

/// How a line is drawn.
public struct Pen: Equatable, Sendable {
  public var color: Color
  /// The width in points.
  public var width: Double
  /// Lengths of dashes and gaps in turn, in millimetres; none for a solid line.
  public var dashes: [Double]

  public init(_ color: Color, width: Double = 0.5, dashes: [Double] = []) {
    self.color = color
    self.width = width
    self.dashes = dashes
  }
}

/// Where a text lies from its anchor point, along its line.
public enum HorizontalAlignment: Sendable { case left, center, right }

/// Which height of a text is at its anchor point; `middle` and `top` are those of capital letters.
public enum VerticalAlignment: Sendable { case baseline, middle, top }

/// A page in millimetres, the origin at its top left corner, that a drawing closure draws on.
public struct Canvas {
  enum Format { case pdf, svg }

  /// What a file says about itself.
  struct Info {
    var title: String
    var description: String
    var stamp: String
  }

  /// A text as it was drawn: its baseline's start in points, and whether it runs upwards.
  struct PlacedText {
    var text: String
    var x: Double
    var y: Double
    var size: Double
    var width: Double
    var upwards: Bool
  }

  /// What a drawing leaves behind beside ink.
  private final class Log {
    var problem: String?
    var texts: [PlacedText] = []
  }

  private static let millimetre = 72 / 25.4
  private static let lock = Mutex(())

  private let context: OpaquePointer
  private let fonts: [TextStyle.Weight: Typeface]
  private let log = Log()

  // ## Drawing

  /// Fills the inside of a path.
  public func fill(_ path: Path, _ color: Color) {
    trace(path)
    use(color)
    cairo_fill(context)
  }

  /// Draws along a path, with butt ends and round joins.
  public func stroke(_ path: Path, _ pen: Pen) {
    trace(path)
    use(pen.color)
    cairo_set_line_width(context, check(pen.width) / Canvas.millimetre)
    cairo_set_dash(context, pen.dashes, Int32(pen.dashes.count), 0)
    cairo_stroke(context)
  }

  /// Draws what `draw` draws, but only inside a path.
  public func clipped(to path: Path, _ draw: () -> Void) {
    cairo_save(context)
    trace(path)
    cairo_clip(context)
    draw()
    cairo_restore(context)
  }

  /// The height of a capital letter, in millimetres.
  public func capHeight(_ style: TextStyle) -> Double { 0.727 * style.size / Canvas.millimetre }

  /// The distance of two lines of text, in millimetres.
  public func lineHeight(_ style: TextStyle) -> Double { 1.2 * style.size / Canvas.millimetre }

  /// The width of the widest line of a text, in millimetres.
  public func width(of text: String, _ style: TextStyle) -> Double {
    set(style)
    return lines(of: text).map(advance).max() ?? 0
  }

  /// Sets a text, whose lines are separated by `\n`. `upwards` turns it by 90 degrees about its
  /// anchor point, so that it reads from bottom to top. A character that the font lacks is an error.
  public func text(
    _ text: String, at point: Point, _ style: TextStyle, align: HorizontalAlignment = .left,
    _ vertical: VerticalAlignment = .baseline, upwards: Bool = false
  ) {
    set(style)
    use(style.color)
    let lines = lines(of: text)
    let drop: Double
    switch vertical {
    case .baseline: drop = 0
    case .top: drop = capHeight(style)
    case .middle: drop = (capHeight(style) - Double(lines.count - 1) * lineHeight(style)) / 2
    }
    for (i, line) in lines.enumerated() where !line.isEmpty {
      let width = advance(line)
      let along = align == .left ? 0 : align == .center ? -width / 2 : -width
      let across = drop + Double(i) * lineHeight(style)
      let x = check(point.x + (upwards ? across : along))
      let y = check(point.y + (upwards ? -along : across))
      cairo_save(context)
      cairo_translate(context, x, y)
      if upwards { cairo_rotate(context, -Double.pi / 2) }
      cairo_move_to(context, 0, 0)
      cairo_show_text(context, line)
      cairo_restore(context)
      log.texts.append(
        PlacedText(
          text: line, x: x * Canvas.millimetre, y: y * Canvas.millimetre, size: style.size,
          width: width * Canvas.millimetre, upwards: upwards))
    }
  }

  private func trace(_ path: Path) {
    cairo_new_path(context)
    for element in path.elements {
      switch element {
      case .move(let p): cairo_move_to(context, check(p.x), check(p.y))
      case .line(let p): cairo_line_to(context, check(p.x), check(p.y))
      case .circle(let p, let radius):
        cairo_new_sub_path(context)
        cairo_arc(context, check(p.x), check(p.y), check(radius), 0, 2 * Double.pi)
        cairo_close_path(context)
      case .close: cairo_close_path(context)
      }
    }
  }

  private func use(_ c: Color) {
    cairo_set_source_rgba(context, check(c.red), check(c.green), check(c.blue), check(c.opacity))
  }

  private func set(_ style: TextStyle) {
    let font = fonts[style.weight]!
    cairo_set_font_face(context, font.cairo)
    cairo_set_font_size(context, check(style.size) / Canvas.millimetre)
  }

  private func lines(of text: String) -> [String] {
    for c in text.unicodeScalars where c != "\n" {
      for font in fonts.values where FT_Get_Char_Index(font.face, FT_ULong(c.value)) == 0 {
        note("the font has no glyph for “\(c)” (U+\(String(c.value, radix: 16))) in “\(text)”")
      }
    }
    return text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  private func advance(_ line: String) -> Double {
    var extents = cairo_text_extents_t()
    cairo_text_extents(context, line, &extents)
    return extents.x_advance
  }

  /// The number itself where it can be drawn, else 0 and an error at the end.
  private func check(_ x: Double) -> Double {
    if x.isFinite { return x }
    note("a coordinate, size or colour is \(x)")
    return 0
  }

  private func note(_ problem: String) { log.problem = log.problem ?? problem }
}

// ## Files

extension Canvas {
  /// The bytes of a page of so many millimetres, and the texts on it in the order of drawing.
  ///
  /// - Parameter name: the file that the bytes are for, for messages.
  static func render(
    _ format: Format, width: Double, height: Double, info: Info, name: String,
    _ draw: (Canvas) -> Void
  ) throws -> (bytes: [UInt8], texts: [PlacedText]) {
    // FreeType faces are shared, so one drawing at a time.
    try lock.withLock { _ in
      let fonts = try Typeface.all.get()
      let sink = Sink()
      let target = Unmanaged.passUnretained(sink).toOpaque()
      let size = (width * millimetre, height * millimetre)
      guard
        let surface = format == .pdf
          ? cairo_pdf_surface_create_for_stream(Sink.write, target, size.0, size.1)
          : cairo_svg_surface_create_for_stream(Sink.write, target, size.0, size.1)
      else { throw PlotError("\(name): out of memory") }
      defer { cairo_surface_destroy(surface) }
      try succeed(cairo_surface_status(surface), name)

      if format == .pdf {
        let entries = [
          (CAIRO_PDF_METADATA_TITLE, info.title), (CAIRO_PDF_METADATA_SUBJECT, info.description),
          (CAIRO_PDF_METADATA_KEYWORDS, info.stamp),
          (CAIRO_PDF_METADATA_CREATE_DATE, "2000-01-01T00:00:00Z"),
        ]
        for (key, value) in entries { cairo_pdf_surface_set_metadata(surface, key, value) }
      }

      guard let context = cairo_create(surface) else { throw PlotError("\(name): out of memory") }
      defer { cairo_destroy(context) }
      try succeed(cairo_status(context), name)
      cairo_scale(context, millimetre, millimetre)
      cairo_set_line_join(context, CAIRO_LINE_JOIN_ROUND)
      let options = cairo_font_options_create()
      defer { cairo_font_options_destroy(options) }
      cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE)
      cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF)
      cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY)
      cairo_set_font_options(context, options)

      let canvas = Canvas(context: context, fonts: fonts)
      // A page of paper is white; that of a screen may not be.
      if format == .svg {
        canvas.fill(
          .rectangle(Rect(left: 0, top: 0, width: width, height: height)), .white)
      }
      draw(canvas)
      cairo_show_page(context)
      try succeed(cairo_status(context), name)
      cairo_surface_finish(surface)
      try succeed(cairo_surface_status(surface), name)
      if let problem = canvas.log.problem { throw PlotError("\(name): \(problem)") }
      return (sink.bytes, canvas.log.texts)
    }
  }

  private static func succeed(_ status: cairo_status_t, _ name: String) throws {
    guard status != CAIRO_STATUS_SUCCESS else { return }
    throw PlotError("\(name): \(String(cString: cairo_status_to_string(status)))")
  }
}

/// Where Cairo's bytes go.
private final class Sink {
  var bytes: [UInt8] = []

  static let write: cairo_write_func_t = { target, data, count in
    let sink = Unmanaged<Sink>.fromOpaque(target!).takeUnretainedValue()
    sink.bytes.append(contentsOf: UnsafeBufferPointer(start: data, count: Int(count)))
    return CAIRO_STATUS_SUCCESS
  }
}

/// A bundled font, loaded once and kept; used under `Canvas.lock` only.
private struct Typeface: @unchecked Sendable {
  let face: FT_Face
  let cairo: OpaquePointer

  static let all: Result<[TextStyle.Weight: Typeface], PlotError> = Result {
    () throws(PlotError) in
    var library: FT_Library?
    guard FT_Init_FreeType(&library) == 0 else { throw PlotError("FreeType does not start") }
    var fonts: [TextStyle.Weight: Typeface] = [:]
    for weight in TextStyle.Weight.allCases {
      let file = Bundle.module.bundleURL.appendingPathComponent("Fonts/\(weight.rawValue).otf").path
      var face: FT_Face?
      guard FT_New_Face(library, file, 0, &face) == 0, let face else {
        throw PlotError("\(file): not a readable font")
      }
      let noHinting = Int32(1 << 1)  // FT_LOAD_NO_HINTING
      guard let cairo = cairo_ft_font_face_create_for_ft_face(face, noHinting),
        cairo_font_face_status(cairo) == CAIRO_STATUS_SUCCESS
      else { throw PlotError("\(file): Cairo refuses the font") }
      fonts[weight] = Typeface(face: face, cairo: cairo)
    }
    return fonts
  }
}
