// Words on a figure.

/// A text at a place of the data, moved by so many millimetres to the right and downwards.
public struct Label: Mark {
  public var text: String
  public var x: Double
  public var y: Double
  public var shift: (right: Double, down: Double)
  public var style: TextStyle
  public var align: HorizontalAlignment

  public init(
    _ text: String, at x: Double, _ y: Double, shift: (right: Double, down: Double) = (0, 0),
    _ style: TextStyle = Style.small, align: HorizontalAlignment = .left
  ) {
    self.text = text
    self.x = x
    self.y = y
    self.shift = shift
    self.style = style
    self.align = align
  }

  public func draw(on canvas: Canvas, in frame: Frame) {
    let p = frame(x, y)
    canvas.text(
      text, at: Point(p.x + shift.right, p.y + shift.down), style, align: align, .middle)
  }
}

/// A bracket over a span of the x axis, at a height of the y axis, with a text above it.
public struct Bracket: Mark {
  public var text: String
  public var span: ClosedRange<Double>
  public var y: Double

  public init(_ text: String, _ span: ClosedRange<Double>, at y: Double) {
    self.text = text
    self.span = span
    self.y = y
  }

  public func draw(on canvas: Canvas, in frame: Frame) {
    let (a, b) = (frame(span.lowerBound, y), frame(span.upperBound, y))
    let drop = 0.8
    canvas.stroke(
      .polyline([Point(a.x, a.y + drop), a, b, Point(b.x, b.y + drop)]), Style.axis)
    canvas.text(
      text, at: Point((a.x + b.x) / 2, a.y - Style.gap), Style.small, align: .center)
  }
}

/// Phones, words or other labelled stretches of time, as a strip between a panel and its time axis.
public struct PhoneTrack: Mark {
  /// A stretch of time in the units of the x axis; a highlighted one stands out.
  public struct Phone: Equatable, Sendable {
    public var label: String
    public var start: Double
    public var end: Double
    public var highlighted: Bool

    public init(_ label: String, _ start: Double, _ end: Double, highlighted: Bool = false) {
      self.label = label
      self.start = start
      self.end = end
      self.highlighted = highlighted
    }
  }

  /// The height of the strip, and the space above it, in millimetres.
  public static let height = 3.2
  public static let gap = 0.7

  public var phones: [Phone]
  public var accent: Color
  /// The size of the smallest label, in points.
  public var smallest = 4.0

  public init(_ phones: [Phone], accent: Color = Palette.categories[1]) {
    self.phones = phones
    self.accent = accent
  }

  /// Draws the phones over the whole height of the frame, cut at its ends. A label is set smaller,
  /// down to the smallest size, where its phone is narrow, and left out where even that is too wide.
  public func draw(on canvas: Canvas, in frame: Frame) {
    for phone in phones where phone.end > frame.x.lower && phone.start < frame.x.upper {
      let left = frame.x(max(phone.start, frame.x.lower))
      let right = frame.x(min(phone.end, frame.x.upper))
      let box = Rect(Point(left, frame.area.top), Point(right, frame.area.bottom))
        .inset(by: Insets(left: 0.12, right: 0.12, bottom: 0.7))
      canvas.fill(.rectangle(box), phone.highlighted ? accent : Color(0xEDEDED))
      var style = Style.small
      style.color = phone.highlighted ? .white : .ink
      style.weight = phone.highlighted ? .bold : .regular
      while style.size > smallest, canvas.width(of: phone.label, style) > box.width {
        style.size -= 0.5
      }
      if canvas.width(of: phone.label, style) <= box.width {
        canvas.text(phone.label, at: box.center, style, align: .center, .middle)
      }
    }
  }
}
