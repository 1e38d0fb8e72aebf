// The JSON library: what it refuses, and that what it writes reads back as the same value.

import Foundation
import JSON
import Tensor
import Testing

@Suite struct JSONTests {
  func value(_ text: String) throws -> JSON { try JSON(parsing: text, name: "x.json") }

  func refused(
    _ text: String, _ words: String..., at location: SourceLocation = #_sourceLocation
  ) {
    refusedBytes(Array(text.utf8), words, at: location)
  }

  func refusedBytes(
    _ bytes: [UInt8], _ words: [String], at location: SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: JSONError.self, sourceLocation: location) {
      _ = try JSON(parsing: bytes, name: "x.json")
    }
    for word in ["x.json: "] + words where error != nil {
      #expect(error!.description.contains(word), "\(error!)", sourceLocation: location)
    }
  }

  // ## Reading

  @Test func readsEveryKind() throws {
    let text = """
       {"a": [null, true, false, -3, 2.5, 1e3, "é\\u00e9\\n\\"\\\\\\/\\ud83d\\ude00"], "b": {}, "": [],
        "quote\\"key": {"a": 1}, "c:": ":", "d": "\\"e\\": {"}
      """
    let json = try value(text)
    #expect(
      json == [
        "a": [.null, true, false, -3, 2.5, 1000.0, "éé\n\"\\/😀"], "b": [:], "": [],
        "quote\"key": ["a": 1], "c:": ":", "d": "\"e\": {",
      ])
    #expect(json["a"]?.elements?[5].int == 1000)
    #expect(try value(" 3 \n").int == 3)
  }

  @Test func namesWhatIsNoJSON() {
    for text in [
      "", " ", "{", "[1", "\"a", "{\"a\" 1}", "{\"a\": 1,}", "[1,]", "[1 2]", "{1: 2}", "nul",
      "tru",
      "'a'", "/* */ 1", "+1", "\"\\x\"", "\"\\u12\"", "]", "}", ",", "\u{feff}{}", "True", "nan",
      "01",
    ] {
      refused(text, "not JSON")
    }
    for text in [
      "00", "-01", "-", "--1", "1.", ".5", "1e", "1e+", "1.e3", "0x10", "1-2", "1.2.3", "-Infinity",
    ] {
      refused(text, "not JSON")
      refused("[\(text)]", "not JSON")
    }
    for text in ["1 2", "{} {}", "[] x", "null,", "1\u{0}", "{}\u{0}", "\"a\"\"b\""] {
      refused(text, "not JSON", "byte")
    }
  }

  @Test func keysThatStandTwice() throws {
    refused("{\"a\": 1, \"a\": 2}", "\"a\" stands twice", "byte 9")
    refused("{\"a\": 1, \"a\": 1}", "stands twice")
    refused("{\"x\": [{\"a\": 1, \"b\": {}, \"a\": 2}]}", "\"a\" stands twice")
    refused("{\"a\": 1, \"\\u0061\": 2}", "\"a\" stands twice")
    refused("{\"a\": 1, \"b\": {\"a\": 1}, \"a\" : 2}", "\"a\" stands twice")
    refused("{\"\": 1, \"\": 2}", "stands twice")
    refused("{\"\\\"\": 1, \"\\u0022\": 2}", "stands twice")
    // One letter, composed and in two parts, is one name here.
    refused("{\"\u{e9}\": 1, \"e\u{301}\": 2}", "stands twice")
    refused("{\"\u{212b}\": 1, \"\\u00c5\": 2}", "stands twice")
    // json-c would cut these at the zero.
    refused("{\"a\\u0000b\": 1}", "zero character")
    #expect(
      try value("{\"a\": {\"a\": [{\"a\": 1}, {\"a\": 2}]}, \"A\": \"a\", \"b\": \"a\"}") != .null)
    #expect(try value("{\"\\\\\": 1, \"\\\\\\\"\": 2, \"\\\\a\": \"\\\\\"}").members?.count == 3)
  }

  @Test func deepNesting() throws {
    func nested(_ depth: Int, _ open: String, _ close: String) -> String {
      String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
    }
    #expect(try value(nested(60, "[", "]")) != .null)
    for depth in [65, 1000, 200_000] {
      refused(nested(depth, "[", "]"), "nest")
      refused(nested(depth, "{\"a\":", "}"), "nest")
    }
  }

  @Test func largeNumbers() throws {
    #expect(try value("9223372036854775807") == .integer(.max))
    #expect(try value("-9223372036854775808") == .integer(.min))
    // No number is silently another: beyond Int a float, beyond 64 bits an error.
    #expect(try value("9223372036854775808") == .number(0x1p63))
    #expect(try value("18446744073709551615") == .number(0x1p64))
    refused("18446744073709551616", "18446744073709551616 is beyond 64 bits")
    refused("{\"a\": [-9223372036854775809]}", "-9223372036854775809 is beyond 64 bits")
    refused("[1" + String(repeating: "0", count: 300) + "]", "beyond 64 bits")
    #expect(try value("[10000000000000000000000.0,1,-1e20]").elements?[0] == .number(1e22))
    for text in ["1e309", "-1e309", "1e99999", "NaN", "Infinity"] {
      refused(text, "not finite")
    }
    #expect(try value("1e-400") == .number(0))
    #expect(try value("[1e300]").elements?[0].int == nil)
  }

  @Test func bytesThatAreNoUTF8() throws {
    for bytes: [UInt8] in [
      [0xFF], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0x80],
      [0xE2, 0x82], [0xF0, 0x9F, 0x98],
    ] {
      refusedBytes([0x22] + bytes + [0x22], ["UTF-8"])
      refusedBytes([0x7B, 0x22] + bytes + [0x22, 0x3A, 0x31, 0x7D], ["UTF-8"])
      refusedBytes(bytes, ["UTF-8"])
    }
  }

  @Test func membersAreNamed() throws {
    let json = try value("{\"a\": \"x\", \"n\": null, \"f\": 2.5}")
    refuses("\"b\" is missing") { _ = try json.int("b") }
    refuses("\"a\" should be a whole number") { _ = try json.int("a") }
    refuses("\"f\" should be a whole number") { _ = try json.int("f") }
    refuses("\"n\" should be a string") { _ = try json.string("n") }
    refuses("expected an object with \"a\"") { _ = try JSON.array([]).string("a") }
    #expect(json["n"] == nil && json["f"]?.double == 2.5)
  }

  // ## Writing

  func same(_ a: Double, _ b: Double?) -> Bool { a.bitPattern == b?.bitPattern }

  @Test func numbersReadBackToTheBit() throws {
    var numbers = [
      0.0, -0.0, 1, -1, 0.1, 1e308, -1e308, 0x1p-1074, -0x1p-1074, 0x1p-1022,
      Double.greatestFiniteMagnitude,
      1e15, 1e15 - 1, 1e15 + 2, 1e16, 1e17, -1e15, 123_456_789_012_345_680, 0x1p53, 0x1p63, -0x1p63,
      0x1p64, 1 / 3, .pi, 1e-7, 1e21, 1e22, 1e23, 2.5e-8,
    ]
    var random = Random(seed: 3)
    while numbers.count < 20_000 {
      let number = Double(bitPattern: random.next())
      if number.isFinite { numbers.append(number) }
    }
    for number in numbers {
      for text in [JSON.number(number).text, JSON.number(number).compactText] {
        let back = try value(text)
        guard case .number(let read) = back else {
          Issue.record("\(text) is no longer a float")
          continue
        }
        #expect(same(number, read), "\(number) was written as \(text)")
      }
    }
    for (number, text) in [(-0.0, "-0.0"), (3, "3.0"), (0.1, "0.1"), (0x1p-1074, "5e-324")] {
      #expect(JSON.number(number).compactText == text)
    }
  }

  @Test func integersReadBack() throws {
    for number in [0, 1, -1, .max, .min, .max - 1, .min + 1, 1 << 53 + 1, -(1 << 53) - 1] {
      #expect(try value(JSON.integer(number).text) == .integer(number))
    }
  }

  @Test func stringsReadBackByteByByte() throws {
    var strings = (0..<0x400).map { String(Unicode.Scalar(UInt32($0))!) }
    strings += [
      "", "a\u{0}b", "\u{2028}\u{2029}", "😀e\u{301}é", "\u{10FFFF}\u{FFFF}", "\\u0041", "</script>",
    ]
    strings.append(strings.joined())
    for string in strings {
      let read = try value(JSON.string(string).text).string
      #expect(read?.utf8.elementsEqual(string.utf8) == true, "\(string.debugDescription)")
      guard !string.utf8.contains(0) else { continue }
      let member = try value(JSON.object([string: 1]).compactText)
      #expect(member.members?.keys.first?.utf8.elementsEqual(string.utf8) == true)
    }
    let plain = JSON.string("\u{1}\u{1f}\n").compactText
    #expect(plain == "\"\\u0001\\u001f\\n\"")
  }

  @Test func sameValueSameBytes() throws {
    let json: JSON = ["b": [1, [2, 3], ["x": .null]], "a": [1, 2.0, "t"], "B": [:], "c": []]
    #expect(
      json.compactText == "{\"B\":{},\"a\":[1,2.0,\"t\"],\"b\":[1,[2,3],{\"x\":null}],\"c\":[]}")
    for _ in 0..<10 {
      let shuffled = JSON.object(
        Dictionary(uniqueKeysWithValues: json.members!.shuffled().map { ($0, $1) }))
      #expect(shuffled.text == json.text)
    }
    #expect(try value(json.text) == json && value(json.compactText) == json)
  }

  /// What messages repeat has an end.
  @Test func longTextsAreShortened() {
    #expect(quoted("pat") == "\"pat\"" && shortened("pat") == "pat")
    let sixty = String(repeating: "é", count: 60)
    #expect(quoted(sixty) == "\"\(sixty)\"")
    #expect(quoted(sixty + "x") == "\"\(sixty)…\" (61 characters)")
    #expect(
      shortened(String(repeating: "x", count: 100_000), atMost: 3) == "xxx… (100000 characters)")
    #expect(quoted("two\nlines\r\n") == "\"two\\nlines\\n\"")
  }

  // ## Mutations

  /// Random changes of a valid text: never a crash, and what is accepted reads back the same.
  @Test func mutatedTexts() throws {
    let text = """
      {"a": [1, -2.5e-3, "x\\n\\u00e9", null], "b": {"c": true, "d\\"": [[], {}], "é": "\\ud83d\\ude00"},
       "weights": [18446744073709551615, 0.1], "e": false}
      """
    var random = Random(seed: 77)
    var accepted = 0
    for _ in 0..<5000 {
      let bytes = mutated(Array(text.utf8), &random)
      do {
        let json = try JSON(parsing: bytes, name: "m.json")
        accepted += 1
        #expect(try JSON(parsing: json.text, name: "again") == json)
        #expect(try JSON(parsing: json.compactText, name: "again").text == json.text)
      } catch {
        #expect("\(error)".contains("m.json"), "\(error)")
      }
    }
    #expect(accepted > 100 && accepted < 4900)
  }
}
