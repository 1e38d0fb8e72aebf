import Foundation
import FoundationXML
import Plot
import Testing

/// A new empty folder.
private func temporaryFolder() throws -> URL {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
    "plot-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  return folder
}

/// The bytes of a figure as PDF and as SVG.
private func written(_ figure: Figure) throws -> (pdf: Data, svg: Data) {
  let folder = try temporaryFolder()
  defer { try? FileManager.default.removeItem(at: folder) }
  let (pdf, svg) = (folder.appendingPathComponent("f.pdf"), folder.appendingPathComponent("f.svg"))
  try figure.write(
    pdf: pdf, svg: svg, title: "Where & when", description: "Two maps <a, b>",
    stamp: "weights sha256:0123abcd seed 7")
  return (try Data(contentsOf: pdf), try Data(contentsOf: svg))
}

/// A text of an SVG and the box that it covers, in points.
private struct Box {
  var text: String
  var x: ClosedRange<Double>
  var y: ClosedRange<Double>
}

private func boxes(of figure: Figure) throws -> [Box] {
  let svg = String(decoding: try written(figure).svg, as: UTF8.self)
  let pattern =
    /<text x="([-0-9.]+)" y="([-0-9.]+)" font-size="([0-9.]+)" textLength="([0-9.]+)"([^>]*)>([^<]*)/
  return svg.matches(of: pattern).map { match in
    let (x, y, size, width) = (
      Double(match.1)!, Double(match.2)!, Double(match.3)!, Double(match.4)!
    )
    let cap = 0.727 * size
    return match.5.isEmpty
      ? Box(text: String(match.6), x: x...x + width, y: y - cap...y)
      : Box(text: String(match.6), x: x - cap...x, y: y - width...y)
  }
}

/// What a program prints, or nothing where it is not installed.
private func output(of program: String, _ arguments: [String]) throws -> Data {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = [program] + arguments
  let pipe = Pipe()
  process.standardOutput = pipe
  try process.run()
  let data = pipe.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  return data
}

private let poppler = FileManager.default.fileExists(atPath: "/usr/bin/pdftocairo")

@Test func theSameFigureIsTheSameBytesASecondLater() async throws {
  let first = try written(demonstration())
  _ = try written(smallDemonstration())  // other glyphs and sizes leave no trace
  try await Task.sleep(for: .milliseconds(1100))
  let second = try written(demonstration())
  #expect(first.pdf == second.pdf)
  #expect(first.svg == second.svg)
}

@Test func figuresDrawnAtOnceAreThoseDrawnInTurn() async throws {
  let alone = try written(demonstration())
  try await withThrowingTaskGroup(of: (pdf: Data, svg: Data).self) { group in
    for _ in 0..<4 { group.addTask { try written(demonstration()) } }
    for try await other in group { #expect(other == alone) }
  }
}

@Test func filesCarryTitleDescriptionAndStamp() throws {
  let files = try written(demonstration())
  let svg = String(decoding: files.svg, as: UTF8.self)
  #expect(svg.contains("<title>Where &amp; when</title>"))
  #expect(svg.contains("<desc>Two maps &lt;a, b&gt;</desc>"))
  #expect(svg.contains("<metadata>weights sha256:0123abcd seed 7</metadata>"))
  #expect(XMLParser(data: files.svg).parse())
  let pdf = String(decoding: files.pdf, as: UTF8.self)
  #expect(pdf.contains("/Keywords (weights sha256:0123abcd seed 7)"))
  #expect(pdf.contains("/Title (Where & when)"))
  #expect(pdf.contains("/CreationDate (20000101000000Z)"))
}

@Test func textOfAnSVGCanBeFound() throws {
  let texts = Set(try boxes(of: demonstration()).map(\.text))
  for text in ["Exact patching", "connector", "−0.2", "Text token", "ɪ", "tʃ", "Layer", "a"] {
    #expect(texts.contains(text), "\(text)")
  }
}

@Test(.enabled(if: poppler)) func textOfAPDFCanBeExtracted() throws {
  let folder = try temporaryFolder()
  defer { try? FileManager.default.removeItem(at: folder) }
  let file = folder.appendingPathComponent("f.pdf")
  var figure = Figure(width: 88, height: 20)
  let phones = "ɪ æ ʃ θ ð ŋ ʊ ɔ ɑ ʌ ɜ ə ʒ tʃ dʒ ˈ ː"
  let signs = "Δρ ≥ −0.5 → ← ↑ ↓ ± × ≈ ℓ α β"
  figure.draw { canvas in
    canvas.text(phones, at: Point(5, 5), TextStyle(size: 7))
    canvas.text(signs, at: Point(5, 10), TextStyle(size: 7, weight: .bold))
  }
  try figure.write(pdf: file, title: "", description: "", stamp: "")
  let text = String(decoding: try output(of: "pdftotext", [file.path, "-"]), as: UTF8.self)
  #expect(text.contains(phones))
  #expect(text.contains(signs))
}

@Test(arguments: [true, false]) func noTextTouchesAnotherOrLeavesThePage(wide: Bool) throws {
  let figure = wide ? demonstration() : smallDemonstration()
  let boxes = try boxes(of: figure)
  #expect(boxes.count > 20)
  for (i, a) in boxes.enumerated() {
    #expect(a.x.lowerBound >= 0 && a.x.upperBound <= figure.width * 72 / 25.4, "\(a.text)")
    #expect(a.y.lowerBound >= 0 && a.y.upperBound <= figure.height * 72 / 25.4, "\(a.text)")
    for b in boxes[..<i] {
      #expect(!(a.x.overlaps(b.x) && a.y.overlaps(b.y)), "\(a.text) lies on \(b.text)")
    }
  }
}

@Test func manyRowsAreThinnedOutAndNarrowPhonesLoseTheirLabel() throws {
  var figure = Figure(width: 60, height: 40)
  figure.add(
    Panel(
      in: figure.area, x: .linear("Time (ms)", 0...1000),
      y: .categories("Layer", (0..<32).map { "L\($0)" }),
      track: PhoneTrack([.init("ɔː", 0, 200), .init("tʃ", 200, 220)]), []))
  let texts = try boxes(of: figure).map(\.text)
  #expect(texts.filter { $0.hasPrefix("L") && $0 != "Layer" } == (0..<7).map { "L\($0 * 5)" })
  #expect(texts.contains("ɔː"))
  #expect(!texts.contains("tʃ"))
}

/// The pixels of a page as red, green and blue bytes, drawn with antialiasing.
private func pixels(of figure: Figure, dotsPerInch: Int) throws -> (width: Int, rgb: [UInt8]) {
  let folder = try temporaryFolder()
  defer { try? FileManager.default.removeItem(at: folder) }
  let file = folder.appendingPathComponent("f.pdf")
  try figure.write(pdf: file, title: "", description: "", stamp: "")
  _ = try output(
    of: "pdftocairo",
    [
      "-r", "\(dotsPerInch)", "-tiff", "-tiffcompression", "none", "-singlefile", file.path,
      folder.appendingPathComponent("f").path,
    ])
  // Uncompressed TIFF: eight bytes of header that end with the place of the directory, then pixels.
  let tiff = Array(try Data(contentsOf: folder.appendingPathComponent("f.tif")))
  let end = (4..<8).reversed().reduce(0) { $0 << 8 | Int(tiff[$1]) }
  // The last pixel of a row and the last two rows may reach beyond the page; they are left out.
  let width = Int((figure.width / 25.4 * Double(dotsPerInch)).rounded(.up))
  let rows = stride(from: 8, to: end - 6 * width, by: 3 * width)
  return (width - 1, rows.flatMap { tiff[$0..<$0 + 3 * (width - 1)] })
}

@Test(.enabled(if: poppler), arguments: [71, 97, 150])
func cellsOfOneColourShowNoSeams(dotsPerInch: Int) throws {
  var figure = Figure(width: 50, height: 40)
  figure.draw { canvas in
    let map = HeatMap(
      Array(repeating: Array(repeating: 0.3, count: 23), count: 17),
      over: .units(columns: 23, rows: 17), .diverging(limit: 0.4))
    let area = Rect(left: -1, top: -1, width: 52, height: 42)
    map.draw(on: canvas, in: Frame(area, x: 0...23, y: 0...17))
  }
  let page = try pixels(of: figure, dotsPerInch: dotsPerInch)
  let color = ColorScale.diverging(limit: 0.4).color(0.3)
  let expected = [color.red, color.green, color.blue].map { $0 * 255 }
  #expect(page.rgb.count > 3 * page.width * page.width / 2)
  let worst = page.rgb.indices.map { abs(Double(page.rgb[$0]) - expected[$0 % 3]) }.max()!
  #expect(worst <= 1.5)
}

@Test(.enabled(if: poppler)) func missingCellsAreHatchedInLightGrey() throws {
  var figure = Figure(width: 20, height: 10)
  figure.draw { canvas in
    let map = HeatMap([[0.4, nil]], over: .units(columns: 2, rows: 1), .diverging(limit: 0.4))
    map.draw(
      on: canvas, in: Frame(Rect(left: -1, top: -1, width: 22, height: 12), x: 0...2, y: 0...1))
  }
  let page = try pixels(of: figure, dotsPerInch: 150)
  var grey: Set<UInt8> = []
  for i in stride(from: 0, to: page.rgb.count, by: 3) {
    let rgb = page.rgb[i..<i + 3]
    let x = i / 3 % page.width
    if x > page.width / 2 + 2 {
      #expect(Set(rgb).count == 1, "no colour in a missing cell")
      grey.insert(rgb.first!)
    } else if x < page.width / 2 - 2 {
      #expect(rgb.first! > rgb.last!, "a red cell")
    }
  }
  #expect(grey.min()! > 180 && grey.max()! < 255 && grey.count > 4)
}

/// Both arms of the palette are equally dark, so that without colour a dash alone tells them apart.
@Test(.enabled(if: poppler)) func cellsBelowZeroCarryADash() throws {
  let values = [-0.9, -0.3, -0.04, 0.04, 0.3, 0.9]
  var figure = Figure(width: 60, height: 10)
  figure.draw { canvas in
    HeatMap([values], over: .units(columns: 6, rows: 1), .diverging(limit: 1)).draw(
      on: canvas, in: Frame(Rect(left: 0, top: -1, width: 60, height: 12), x: 0...6, y: 0...1))
  }
  let page = try pixels(of: figure, dotsPerInch: 250)
  func lightness(_ x: Double, _ y: Double) -> Double {
    let place = 3 * (Int(y / 25.4 * 250) * page.width + Int(x / 25.4 * 250))
    return page.rgb[place..<(place + 3)].reduce(0) { $0 + Double($1) } / 765
  }
  for (i, value) in values.enumerated() {
    let middle = 10 * Double(i) + 5
    let own = lightness(middle, 2)
    let change = (45...55).map { lightness(middle, Double($0) / 10) - own }.max {
      abs($0) < abs($1)
    }!
    switch value {
    case ..<(-0.6): #expect(change > 0.1, "a light dash on a dark cell")
    case ..<(-0.05): #expect(change < -0.1, "a dark dash on a light cell")
    default: #expect(abs(change) < 0.01, "no dash at \(value)")
    }
  }
  #expect(abs(lightness(55, 2) - lightness(5, 2)) < 0.08, "as dark on either side")
}

/// The error of writing a figure, which must name the file.
private func failure(_ url: URL, _ drawing: @escaping (Canvas) -> Void = { _ in }) -> String {
  var figure = Figure(width: 10, height: 10)
  figure.draw(drawing)
  let error = #expect(throws: PlotError.self) {
    try figure.write(pdf: url, title: "", description: "", stamp: "")
  }
  return error?.description ?? ""
}

@Test func whatCannotBeWrittenIsAnErrorAndLeavesNoFile() throws {
  let folder = try temporaryFolder()
  defer { try? FileManager.default.removeItem(at: folder) }
  let missing = folder.appendingPathComponent("missing/f.pdf")
  #expect(failure(missing).contains(missing.path))
  let occupied = folder.appendingPathComponent("occupied.pdf")
  try FileManager.default.createDirectory(
    at: occupied.appendingPathComponent("full"), withIntermediateDirectories: true)
  #expect(failure(occupied).contains(occupied.path))
  let left = try FileManager.default.contentsOfDirectory(atPath: folder.path)
  #expect(left == ["occupied.pdf"])
}

@Test func whatCannotBeDrawnIsAnErrorAndKeepsTheOldFile() throws {
  let folder = try temporaryFolder()
  defer { try? FileManager.default.removeItem(at: folder) }
  let file = folder.appendingPathComponent("f.pdf")
  try Data("old".utf8).write(to: file)
  let style = TextStyle(size: 7)
  let tofu = failure(file) { $0.text("語", at: Point(1, 1), style) }
  #expect(tofu.contains("語") && tofu.contains(file.path))
  let nan = failure(file) { $0.stroke(.line(Point(0, .nan), Point(1, 1)), Pen(.ink)) }
  #expect(nan.contains("nan") && nan.contains(file.path))
  let cell = failure(file) { canvas in
    HeatMap([[.nan]], over: .units(columns: 1, rows: 1), .diverging(limit: 1))
      .draw(on: canvas, in: Frame(Rect(left: 0, top: 0, width: 5, height: 5), x: 0...1, y: 0...1))
  }
  #expect(cell.contains("nan"))
  #expect(try Data(contentsOf: file) == Data("old".utf8))
  #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["f.pdf"])
}

@Test func aFileIsReplacedAndNotOverwritten() throws {
  let folder = try temporaryFolder()
  defer { try? FileManager.default.removeItem(at: folder) }
  let (file, reader) = (folder.appendingPathComponent("f.pdf"), folder.appendingPathComponent("r"))
  try Data("old".utf8).write(to: file)
  try FileManager.default.linkItem(at: file, to: reader)  // as a program that has it open
  try Figure(width: 10, height: 10).write(pdf: file, title: "", description: "", stamp: "")
  #expect(try Data(contentsOf: reader) == Data("old".utf8))
  #expect(try Data(contentsOf: file).starts(with: Data("%PDF".utf8)))
}

/// Writes the demonstration to the folder that `PLOT_DEMONSTRATION` names, for people to look at.
@Test(.enabled(if: ProcessInfo.processInfo.environment["PLOT_DEMONSTRATION"] != nil))
func demonstrationsCanBeLookedAt() throws {
  let folder = URL(
    fileURLWithPath: ProcessInfo.processInfo.environment["PLOT_DEMONSTRATION"]!)
  for (name, figure) in [("wide", demonstration()), ("column", smallDemonstration())] {
    try figure.write(
      pdf: folder.appendingPathComponent("\(name).pdf"),
      svg: folder.appendingPathComponent("\(name).svg"), title: "Demonstration",
      description: "Made-up numbers, to look at the marks.", stamp: "demonstration")
  }
}
