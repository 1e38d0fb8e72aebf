// What Cairo leaves out of an SVG: a title, a description, the stamp, and text that can be searched;
// and what it puts in too much: the number of surfaces that the process has made so far.

import Foundation

/// The SVG with a title, description and stamp in front of the drawing, and behind it every text
/// again, unseen, at its place: Cairo draws text as outlines, which can be neither found nor read out.
func annotated(
  svg bytes: [UInt8], _ info: Canvas.Info, texts: [Canvas.PlacedText], name: String
) throws -> [UInt8] {
  var numbers: [Substring: Int] = [:]
  let svg = String(decoding: bytes, as: UTF8.self).replacing(/surface[0-9]+/) { match in
    numbers[match.output] = numbers[match.output] ?? numbers.count
    return "surface\(numbers[match.output]!)"
  }
  guard let root = svg.range(of: "<svg "),
    let start = svg[root.upperBound...].firstIndex(of: ">"),
    let end = svg.range(of: "</svg>", options: .backwards)
  else { throw PlotError("\(name): Cairo wrote an SVG of another shape than expected") }
  let head = """

    <title>\(escaped(info.title))</title>
    <desc>\(escaped(info.description))</desc>
    <metadata>\(escaped(info.stamp))</metadata>
    """
  let found = texts.map { text in
    let (x, y) = (short(text.x), short(text.y))
    let turn = text.upwards ? " transform=\"rotate(-90 \(x) \(y))\"" : ""
    return "<text x=\"\(x)\" y=\"\(y)\" font-size=\"\(short(text.size))\""
      + " textLength=\"\(short(text.width))\"\(turn)>\(escaped(text.text))</text>\n"
  }
  let tail = "<g opacity=\"0\" font-family=\"Inter, sans-serif\">\n\(found.joined())</g>\n"
  return Array((svg[...start] + head + svg[svg.index(after: start)..<end.lowerBound] + tail).utf8)
    + Array(svg[end.lowerBound...].utf8)
}

/// A length in points with at most two decimals.
private func short(_ x: Double) -> String { "\((x * 100).rounded() / 100)" }

/// Text as XML has it.
private func escaped(_ text: String) -> String {
  var result = ""
  for c in text.unicodeScalars {
    switch c {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    default: result.unicodeScalars.append(c)
    }
  }
  return result
}
