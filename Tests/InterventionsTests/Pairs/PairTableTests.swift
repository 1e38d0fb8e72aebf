// A reader's tables and TextGrids: both of Praat's formats say the same, quotes and line ends are
// read, and a bad row is named by its line.

import Corpus
import Foundation
import Interventions
import JSON
import Testing

extension Folder {
  /// A recording of 250 ms: 16 bits, one channel, 16 kHz, written by hand.
  func wave(_ name: String, _ seed: Int) throws {
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
    try Data(bytes).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
  }
}

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
    let overlapping = message(long.replacing("xmin = 0.2\n", with: "xmin = 0.1\n"))
    #expect(
      overlapping.contains("(0 ms to 200 ms) and \"ʃ\" (100 ms to 500 ms) overlap"),
      "\(overlapping)")
    #expect(message(String(short.dropLast(8))).contains("ends too early"))
  }
}

@Suite struct PairTableTests {
  @Test func fieldsAndLines() throws {
    let table = try Table("a,b\r\n\"x, \"\"y\"\"\",2\n\n\"two\nlines\",\nlast,4")
    #expect(table.columns == ["a", "b"] && table.rows.map(\.line) == [2, 4, 6])
    #expect(table.rows.map(\.fields) == [["x, \"y\"", "2"], ["two\nlines", ""], ["last", "4"]])
    #expect(throws: CellError.self) { try Table("a\n\"b") }
    #expect(throws: CellError.self) { try Table("a,b,a\n1,2,3") }
    #expect(throws: CellError.self) { try Table(" \n\n") }
  }

  /// The first line says what separates fields, whatever stands inside quotes and in other lines.
  @Test func spreadsheetsSaveInSeveralWays() throws {
    let folder = try Folder()
    let rows = [["\"a; b,c\"", "d"], ["x", "\"1,5\""]]
    for separator in [",", ";", "\t"] {
      for end in ["\n", "\r\n", "\r"] {
        let text = rows.map { $0.joined(separator: separator) + end }.joined()
        for (encoding, mark) in [
          (String.Encoding.utf8, ""), (.utf8, "\u{FEFF}"), (.utf16LittleEndian, "\u{FEFF}"),
        ] {
          let path = "\(folder.path)/t.csv"
          try (mark + text).data(using: encoding)!.write(to: URL(fileURLWithPath: path))
          let table = try Table(contentsOf: path)
          #expect(String(table.separator) == separator)
          #expect(table.columns == ["a; b,c", "d"] && table.rows.map(\.line) == [2])
          #expect(try table.values(of: table.rows[0].fields) == ["a; b,c": "x", "d": "1,5"])
        }
      }
    }
    // Empty columns and rows that a spreadsheet leaves behind.
    let table = try Table("a;b;;\n1;2;;\n;;;\n3;4;;5\n")
    #expect(table.rows.map(\.line) == [2, 4])
    #expect(try table.values(of: table.rows[0].fields) == ["a": "1", "b": "2"])
    let error = #expect(throws: CellError.self) { try table.values(of: table.rows[1].fields) }
    #expect(error?.description.contains("\"5\" in a column without a name") == true)
  }

  @Test func badRowsAreNamedByLine() throws {
    let folder = try Folder()
    try folder.wave("a.wav", 1)
    try folder.wave("b.wav", 2)
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
    let bad = try folder.write("bad.csv", "id;audio_clean\n")
    let error = #expect(throws: CellError.self) { try PairTable(contentsOf: bad) }
    for words in ["lacks the column \"audio_corrupt\"", "semicolons", "\"id\", \"audio_clean\""] {
      #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }
  }

  /// Columns that are not known go into the list as notes, and read back.
  @Test func otherColumnsAreNotes() throws {
    let folder = try Folder()
    try folder.wave("a.wav", 1)
    try folder.wave("b.wav", 2)
    let table = try folder.write(
      "pairs.csv",
      """
      audio_clean;audio_corrupt;prompt;answer;foil;heard by;sure
      a.wav;b.wav;q;x;y;Ada, Bo;
      b.wav;a.wav;q;y;x;;
      """)
    let read = try PairTable(contentsOf: table)
    #expect(read.rejected.isEmpty && read.noted == ["heard by", "sure"])
    #expect(read.pairs.map(\.notes) == [["heard by": "Ada, Bo"], [:]])
    let again = try RecordedPair(read.pairs[0].json)
    #expect(again.notes == ["heard by": "Ada, Bo"] && again.json == read.pairs[0].json)
    #expect(read.pairs[1].json["notes"] == nil)
  }

  /// Boundaries that cannot be those of a recording of 250 ms.
  @Test func boundariesBelongToTheRecording() throws {
    let folder = try Folder()
    try folder.wave("a.wav", 1)
    try folder.wave("b.wav", 2)
    func rejected(_ first: Double, _ second: Double, _ end: Double) throws -> String {
      for name in ["a", "b"] {
        _ = try folder.write(
          "\(name).TextGrid",
          """
          "ooTextFile" "TextGrid" 0 1 <exists> 1 "IntervalTier" "phones" 0 1 2
          0 \(name == "a" ? first : 0.1) "p" \(name == "a" ? second : 0.1) \(name == "a" ? end : 0.25) "q"
          """)
      }
      let table = try folder.write(
        "pairs.csv",
        """
        audio_clean,audio_corrupt,prompt,answer,foil,textgrid_clean,textgrid_corrupt
        a.wav,b.wav,q,x,y,a.TextGrid,b.TextGrid
        """)
      return try PairTable(contentsOf: table).rejected.first?.reason ?? ""
    }
    #expect(try rejected(0.1, 0.1, 0.25) == "")
    let overlap = try rejected(0.15, 0.1, 0.25)
    #expect(
      overlap.contains(
        "a.TextGrid: tier \"phones\": the intervals \"p\" (0 ms to 150 ms) and \"q\" "
          + "(100 ms to 250 ms) overlap"), "\(overlap)")
    // A frame is 20 ms.
    #expect(try rejected(0.1, 0.1, 0.2699) == "")
    let late = try rejected(0.1, 0.1, 0.27)
    #expect(
      late.contains(
        "a.TextGrid: the interval \"q\" (100 ms to 270 ms) ends 20 ms behind the "
          + "recording, which lasts 250 ms"), "\(late)")
  }

  @Test func listsKeepTheirSegmentsInOrder() throws {
    func read(_ segments: String) throws -> RecordedPair {
      try RecordedPair(
        JSON(
          parsing: """
            {"id": "i", "group": "g", "audio_clean": "a", "audio_corrupt": "b", "prompt": "",
             "answer": "x", "foil": "y", "segments_clean": [["p", 560, 850], ["q", 850, 1190]],
             "segments_corrupt": \(segments)}
            """, name: "list"))
    }
    #expect(try read("[[\"p\", 560, 850.0000001], [\"q\", 850, 1190]]").segments != nil)
    for (segments, words) in [
      (
        "[[\"p\", 560, 850], [\"q\", 700, 1190]]",
        "(560 ms to 850 ms) and \"q\" (700 ms to 1190 ms)"
      ),
      ("[[\"p\", 850, 1190], [\"q\", 560, 850]]", "overlap"),
      ("[[\"p\", -10, 850], [\"q\", 850, 1190]]", "begins before the recording"),
    ] {
      let error = #expect(throws: JSONError.self) { try read(segments) }
      let said = error?.description ?? ""
      #expect(said.contains("segments_corrupt") && said.contains(words), "\(said)")
    }
  }
}
