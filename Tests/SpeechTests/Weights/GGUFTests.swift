// GGUF files: every type of numbers bit for bit as the reference reads it, and files that are not what
// they should be: one message that names the file, never a crash.

import Foundation
import JSON
import Speech
import Tensor
import Testing

/// A GGUF file taken apart, by code of the tests' own.
private struct Bytes {
  var magic = Array("GGUF".utf8)
  var version = little(3, 4)
  /// Counts that are not those of what follows.
  var tensorCount: Int?
  var valueCount: Int?
  var values = [value("general.architecture", 8, text("qwen2"))]
  var tensors = [tensor("a", [32, 2], 8, 0), tensor("b", [3], 0, 96)]
  var body = [UInt8](repeating: 1, count: 108)
  var alignment = 32

  var bytes: [UInt8] {
    let head =
      magic + version + Bytes.little(tensorCount ?? tensors.count, 8)
      + Bytes.little(valueCount ?? values.count, 8) + values.flatMap { $0 } + tensors.flatMap { $0 }
    return head + [UInt8](repeating: 0, count: (alignment - head.count % alignment) % alignment)
      + body
  }

  func with(_ change: (inout Bytes) -> Void) -> [UInt8] {
    var copy = self
    change(&copy)
    return copy.bytes
  }

  static func little(_ number: Int, _ width: Int) -> [UInt8] {
    (0..<width).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }

  static func text(_ text: String) -> [UInt8] { little(text.utf8.count, 8) + Array(text.utf8) }

  static func value(_ key: String, _ type: Int, _ bytes: [UInt8]) -> [UInt8] {
    text(key) + little(type, 4) + bytes
  }

  static func list(_ key: String, _ type: Int, _ count: Int, _ bytes: [UInt8]) -> [UInt8] {
    value(key, 9, little(type, 4) + little(count, 8) + bytes)
  }

  static func tensor(_ name: String, _ sizes: [Int], _ type: Int, _ offset: Int) -> [UInt8] {
    text(name) + little(sizes.count, 4) + sizes.flatMap { little($0, 8) } + little(type, 4)
      + little(offset, 8)
  }
}

@Suite struct GGUFTests {
  let scratch: Scratch
  let path: String

  init() throws {
    scratch = try Scratch()
    path = "\(scratch.path)/m.gguf"
  }

  func open(_ bytes: [UInt8]) throws -> GGUF {
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return try GGUF(path: path)
  }

  func refuses(
    _ bytes: [UInt8], _ words: String..., at location: SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: CheckpointError.self, sourceLocation: location) {
      _ = try open(bytes)
    }
    guard let error else { return }
    #expect("\(error)".hasPrefix("\(path): "), "\(error)", sourceLocation: location)
    #expect(!"\(error)".contains("\n"), "\(error)", sourceLocation: location)
    for word in words + [words.count == 1 ? "again" : ""] where !word.isEmpty {
      #expect("\(error)".contains(word), "\(error)", sourceLocation: location)
    }
  }

  // ## Values

  @Test(arguments: ["F32", "F16", "BF16", "Q4_0", "Q5_0", "Q8_0", "Q4_K", "Q5_K", "Q6_K"])
  func everyTypeIsReadBitForBit(_ type: String) throws {
    let file = try GGUF(path: stored("gguf/types.gguf"))
    let expected = try Safetensors(path: stored("gguf/types.safetensors")).tensor(type)
    let tensor = try file.tensor(type)
    #expect(tensor.shape == [3, 512] && tensor.isIdentical(to: expected))
  }

  @Test func metadataOfEveryType() throws {
    let values = [
      Bytes.value("u8", 0, [200]), Bytes.value("i8", 1, [200]), Bytes.value("u16", 2, [1, 2]),
      Bytes.value("i16", 3, [0, 255]), Bytes.value("u32", 4, Bytes.little(7, 4)),
      Bytes.value("i32", 5, Bytes.little(-7, 4)),
      Bytes.value("f32", 6, Bytes.little(Int(Float(0.5).bitPattern), 4)),
      Bytes.value("yes", 7, [1]), Bytes.value("text", 8, Bytes.text("é")),
      Bytes.value("u64", 10, Bytes.little(1 << 40, 8)),
      Bytes.value("i64", 11, Bytes.little(-1, 8)),
      Bytes.value("f64", 12, Bytes.little(Int(truncatingIfNeeded: Double(-2.5).bitPattern), 8)),
      Bytes.value("huge", 10, Bytes.little(-1, 8)),
      Bytes.list("names", 8, 2, Bytes.text("a") + Bytes.text("")),
      Bytes.list("kinds", 5, 2, Bytes.little(-3, 4) + Bytes.little(4, 4)),
      Bytes.value("last", 0, [9]),
    ]
    let metadata = try open(Bytes().with { $0.values = values }).metadata
    let whole = ["u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "last"]
    #expect(whole.map { metadata[$0]?.int } == [200, -56, 513, -256, 7, -7, 1 << 40, -1, 9])
    #expect(["f32", "f64"].map { metadata[$0]?.double } == [0.5, -2.5])
    #expect(metadata["huge"]?.int == nil && metadata["huge"]?.double == 0x1p64)
    #expect(metadata["yes"]?.bool == true && metadata["text"]?.string == "é")
    #expect(try metadata["names"]?.list?.strings("it") == ["a", ""])
    #expect(try metadata["kinds"]?.list?.integers("it") == [-3, 4])
    #expect(try metadata["kinds"]?.list?.strings("it") == nil)
  }

  @Test func aWholeFileIsRead() throws {
    let file = try open(Bytes().bytes)
    #expect(file.entries["a"]?.shape == [2, 32] && file.entries["b"]?.shape == [3])
    let alignment = Bytes.value("general.alignment", 4, Bytes.little(64, 4))
    let other = Bytes().with {
      $0.values.append(alignment)
      $0.alignment = 64
      $0.tensors[1] = Bytes.tensor("b", [3], 0, 128)
      $0.body =
        [UInt8](repeating: 0, count: 128) + [0, 0, 128, 63] + [UInt8](repeating: 0, count: 8)
    }
    #expect(try open(other).tensor("b").numbers == [1, 0, 0])
  }

  // ## What is no GGUF file

  @Test func startsThatAreWrong() {
    refuses(Array("GGUF".utf8), "it has only 4 bytes")
    refuses(Bytes().with { $0.magic = Array("GGML".utf8) }, "does not begin with the letters GGUF")
    refuses(Bytes().with { $0.version = Bytes.little(2, 4) }, "it has version 2; version 3 is read")
    refuses(Bytes().with { $0.version = [0, 0, 0, 3] }, "big-endian")
    refuses(Bytes().with { $0.tensorCount = 1 << 40 }, "it should have 1099511627776 tensors, more")
    refuses(Bytes().with { $0.valueCount = -1 }, "18446744073709551615 values, more than its")
    // More than there are, fewer than could be.
    refuses(Bytes().with { $0.valueCount = 3 }, "truncated")
    refuses(Bytes().with { $0.tensorCount = 4 }, "tensor \"\" has 0 dimensions")
  }

  @Test func valuesThatAreWrong() {
    func refusesValue(
      _ value: [UInt8], _ problem: String, at location: SourceLocation = #_sourceLocation
    ) {
      refuses(Bytes().with { $0.values.append(value) }, problem, at: location)
    }
    refusesValue(Bytes.little(1 << 62, 8), "the name of value 1 should have 4611686018427387904")
    refusesValue(Bytes.little(-1, 8), "the name of value 1 should have 18446744073709551615 bytes")
    refusesValue(Bytes.value("k", 13, []), "the value \"k\" has type 13; 0 to 12 are possible")
    refusesValue(Bytes.value("k", 7, [2]), "the value \"k\" is 2, neither true nor false")
    refusesValue(Bytes.value("k", 8, Bytes.little(1000, 8)), "\"k\" should have 1000 bytes")
    refusesValue(Bytes.value("k", 8, Bytes.little(1, 8) + [0xFF]), "the value \"k\" is no UTF-8")
    refusesValue(
      Bytes.little(1, 8) + [0xC3] + Bytes.little(0, 5), "the name of value 1 is no UTF-8")
    refusesValue(Bytes.list("k", 9, 1, Bytes.little(0, 12)), "\"k\" is a list of lists")
    refusesValue(Bytes.list("k", 99, 1, []), "the elements of the value \"k\" has type 99")
    refusesValue(Bytes.list("k", 5, 1 << 61, []), "\"k\" should have 2305843009213693952 elements")
    refusesValue(Bytes.list("k", 8, -1, []), "elements, more than the file holds")
    refusesValue(
      Bytes.list("k", 8, 2, Bytes.text("a") + Bytes.little(1 << 50, 8)),
      "string 1 of the value \"k\" should have")
    refusesValue(
      Bytes.value("general.architecture", 4, [0, 0, 0, 0]),
      "the value \"general.architecture\" is there twice")
    for alignment in [0, 3, 48] {
      refusesValue(
        Bytes.value("general.alignment", 4, Bytes.little(alignment, 4)),
        "\"general.alignment\" is \(alignment); it should be a power of two")
    }
    refusesValue(Bytes.value("general.alignment", 8, Bytes.text("x")), "should be a power of two")
  }

  @Test func tensorsThatAreWrong() {
    func refusesTensor(
      _ tensor: [UInt8], _ problem: String, at location: SourceLocation = #_sourceLocation
    ) {
      refuses(Bytes().with { $0.tensors[1] = tensor }, problem, at: location)
    }
    let huge = 1 << 40
    refusesTensor(Bytes.tensor("b", [], 0, 96), "tensor \"b\" has 0 dimensions; 1 to 4")
    refusesTensor(Bytes.tensor("b", [1, 1, 1, 1, 1], 0, 96), "\"b\" has 5 dimensions")
    refusesTensor(Bytes.tensor("b", [0, 4], 0, 96), "\"b\" has sizes of [0, 4]")
    refusesTensor(Bytes.tensor("b", [-1], 0, 96), "\"b\" has sizes of [18446744073709551615]")
    refusesTensor(Bytes.tensor("b", [huge, huge], 0, 96), "\"b\" has sizes of")
    // A product that comes round to a small number.
    refusesTensor(Bytes.tensor("b", [1 << 32, 1 << 32, 2], 0, 96), "\"b\" has sizes of")
    refusesTensor(Bytes.tensor("b", [33], 8, 96), "\"b\" has rows of 33 numbers")
    refusesTensor(Bytes.tensor("b", [32, 8], 12, 96), "no whole blocks of 256 (Q4_K)")
    refusesTensor(Bytes.tensor("b", [3], 0, 100), "\"b\" begins at 100, no multiple of")
    refusesTensor(Bytes.tensor("b", [3], 0, 128), "\"b\" has 12 bytes from 128 on, the file 108")
    refusesTensor(Bytes.tensor("b", [3], 0, 1 << 62), "\"b\" has 12 bytes from 4611686018427387904")
    refusesTensor(Bytes.tensor("b", [1 << 46], 0, 96), "\"b\" has 281474976710656 bytes")
    refusesTensor(Bytes.tensor("b", [3], 0, 64), "tensors \"a\" and \"b\" overlap")
    refusesTensor(Bytes.tensor("a", [3], 0, 96), "tensor \"a\" is there twice")
    refuses(Bytes().with { $0.body.removeLast() }, "\"b\" has 12 bytes from 96 on, the file 107")
    refuses(Bytes().with { $0.body = [] }, "truncated")
    for (type, name) in [(2 + 1, "Q4_1"), (10, "Q2_K"), (23, "IQ4_XS"), (26, "I32"), (39, "MXFP4")]
    {
      refuses(
        Bytes().with { $0.tensors[1] = Bytes.tensor("b", [256], type, 96) },
        "tensor \"b\" is of type \(name); take a file with these: F32, F16, Q4_0", "Q6_K, BF16")
    }
    refuses(
      Bytes().with { $0.tensors[1] = Bytes.tensor("b", [256], 77, 96) },
      "is of type 77, which is unknown", "take a file")
  }

  /// Cut anywhere, a file is refused; with any one byte of its header changed, it is read or refused.
  @Test func noByteCrashes() throws {
    let whole = Bytes().with {
      $0.values.append(Bytes.list("names", 8, 1, Bytes.text("abc")))
      $0.values.append(Bytes.list("kinds", 5, 1, Bytes.little(1, 4)))
    }
    for count in 1..<whole.count {
      #expect(throws: CheckpointError.self) { _ = try open(Array(whole[..<count])) }
    }
    for i in 0..<whole.count - 108 {
      for flip: UInt8 in [1, 0x80, 0xFF] {
        var bytes = whole
        bytes[i] ^= flip
        do {
          let file = try open(bytes)
          for name in file.entries.keys { _ = try file.tensor(name) }
        } catch is CheckpointError {}
      }
    }
  }
}
