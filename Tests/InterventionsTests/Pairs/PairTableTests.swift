// A reader's tables and TextGrids: both of Praat's formats say the same, quotes and line ends are
// read, and a bad row is named by its line.

import Corpus
import Foundation
import Interventions
import Testing

@Suite struct TextGridTests {
  private let long = #"""
    File type = "ooTextFile"
    Object class = "TextGrid"

    xmin = 0
    xmax = 0.5
    tiers? <exists>
    size = 2
    item []:
        item [1]:
            class = "TextTier"
            name = "marks"
            xmin = 0
            xmax = 0.5
            points: size = 1
            points [1]:
                number = 0.1
                mark = "x"
        item [2]:
            class = "IntervalTier"
            name = "phones"
            xmin = 0
            xmax = 0.5
            intervals: size = 2
            intervals [1]:
                xmin = 0
                xmax = 0.2
                text = "say ""a"""
            intervals [2]:
                xmin = 0.2
                xmax = 0.5
                text = "ʃ"

    """#
  private let short = #"""
    File type = "ooTextFile"
    Object class = "TextGrid"

    0
    0.5
    <exists>
    2
    "TextTier"
    "marks"
    0
    0.5
    1
    0.1
    "x"
    "IntervalTier"
    "phones"
    0
    0.5
    2
    0
    0.2
    "say ""a"""
    0.2
    0.5
    "ʃ"

    """#

  @Test func bothFormatsSayTheSame() throws {
    let expected = [Segment("say \"a\"", 0, 200), Segment("ʃ", 200, 500)]
    for text in [long, short, long.replacing("\n", with: "\r\n")] {
      #expect(try TextGrid(text).segments() == expected)
      #expect(try TextGrid(text).segments(of: "phones") == expected)
    }
    let folder = try Folder()
    for encoding in [String.Encoding.utf8, .utf16] {
      let path = "\(folder.path)/a.TextGrid"
      try long.data(using: encoding)!.write(to: URL(fileURLWithPath: path))
      #expect(try TextGrid(contentsOf: path).segments() == expected)
    }
  }

  @Test func badFilesSayWhere() {
    func message(_ text: String) -> String {
      do {
        _ = try TextGrid(text).segments(of: "phones")
        return ""
      } catch { return "\(error)" }
    }
    #expect(message("hello").contains("ends too early"))
    #expect(message(long.replacing("TextGrid", with: "Pitch")).contains("is no TextGrid"))
    #expect(message(long.replacing("xmax = 0.2", with: "xmax = 0")).contains("line 26"))
    #expect(message(long.replacing("\"phones\"", with: "\"p\"")).contains("it has \"p\""))
    #expect(message(String(short.dropLast(8))).contains("ends too early"))
  }
}

@Suite struct PairTableTests {
  @Test func fieldsAndLines() throws {
    let rows = try commaSeparated("\u{FEFF}a,b\r\n\"x, \"\"y\"\"\",2\n\n\"two\nlines\",\nlast,4")
    #expect(rows.map(\.line) == [1, 2, 4, 6])
    #expect(
      rows.map(\.fields) == [["a", "b"], ["x, \"y\"", "2"], ["two\nlines", ""], ["last", "4"]])
    #expect(throws: CellError.self) { try commaSeparated("a\n\"b") }
  }

  @Test func badRowsAreNamedByLine() throws {
    let folder = try Folder()
    func wave(_ name: String, _ seed: Int) throws {
      // 16 bits, one channel, 16 kHz, written by hand.
      let samples = (0..<4000).map { Int16(truncatingIfNeeded: ($0 * (7 + seed)) % 2000 - 1000) }
      var bytes = [UInt8]("RIFF".utf8)
      func add(_ value: Int, _ size: Int) {
        bytes += (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
      }
      add(36 + 8000, 4)
      bytes += Array("WAVEfmt ".utf8)
      for (value, size) in [(16, 4), (1, 2), (1, 2), (16_000, 4), (32_000, 4), (2, 2), (16, 2)] {
        add(value, size)
      }
      bytes += Array("data".utf8)
      add(8000, 4)
      for sample in samples { add(Int(sample), 2) }
      try Data(bytes).write(to: URL(fileURLWithPath: "\(folder.path)/\(name)"))
    }
    try wave("a.wav", 1)
    try wave("b.wav", 2)
    let table = try folder.write(
      "pairs.csv",
      """
      id,audio_clean,audio_corrupt,prompt,answer,foil
      one,a.wav,b.wav,"first, please:",x,y
      two,a.wav,a.wav,q,x,y
      three,a.wav,c.wav,q,x,y
      four,a.wav,b.wav,q,x,x
      one,a.wav,b.wav,q,x,y
      six,a.wav,b.wav,q
      """)
    let read = try PairTable(contentsOf: table)
    #expect(read.pairs.count == 1 && read.pairs[0].prompt == "first, please:")
    #expect(read.pairs[0].group == "one" && read.pairs[0].segments == nil)
    #expect(read.rejected.map(\.line) == [3, 4, 5, 6, 7])
    for (reason, word) in zip(
      read.rejected.map(\.reason), ["the same", "no file", "both \"x\"", "line 2", "4 fields"])
    {
      #expect(reason.contains(word), "\(reason)")
    }
    let again = try RecordedPair(read.pairs[0].json)
    #expect(again.json == read.pairs[0].json)
    let bad = try folder.write("bad.csv", "id,audio_clean\n")
    #expect(throws: CellError.self) { try PairTable(contentsOf: bad) }
  }
}
