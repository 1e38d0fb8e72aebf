// Safetensors files that are not what they should be: one message that names the file, never a
// crash, whatever byte is wrong.

import Foundation
import JSON
import Speech
import Tensor
import Testing

@Suite struct SafetensorsTests {
  let scratch: Scratch
  let path: String

  init() throws {
    scratch = try Scratch()
    path = "\(scratch.path)/m.safetensors"
  }

  func write(_ bytes: [UInt8]) throws { try Data(bytes).write(to: URL(fileURLWithPath: path)) }

  func refusesFile(
    _ bytes: [UInt8], _ problem: String, at location: SourceLocation = #_sourceLocation
  ) throws {
    try write(bytes)
    let error = #expect(throws: CheckpointError.self, sourceLocation: location) {
      _ = try Safetensors(path: path)
    }
    guard let error else { return }
    #expect("\(error)".hasPrefix("\(path): "), "\(error)", sourceLocation: location)
    #expect("\(error)".contains(problem), "\(error)", sourceLocation: location)
    #expect("\(error)".contains("again"), "\(error)", sourceLocation: location)
  }

  /// A file of these header entries and a body of 16 bytes.
  func refusesHeader(
    _ header: String, _ problem: String, at location: SourceLocation = #_sourceLocation
  ) throws {
    try refusesFile(
      TensorFile.bytes(header, [UInt8](repeating: 0, count: 16)), problem, at: location)
  }

  static let valid = TensorFile([
    "a": Tensor([2, 3], [1, -2, 3, 0.5, -0.0, 7]), "b": Tensor([2], [1e-30, 3e38]),
    "empty": Tensor([0, 4], []), "scalar": Tensor([], [9]),
  ])

  @Test func readsEveryType() throws {
    let header = """
      {"__metadata__": {"format": "pt"}, "bf": {"dtype":"BF16","shape":[2],"data_offsets":[0,4]},
      "half": {"dtype":"F16","shape":[2],"data_offsets":[4,8]},
      "long": {"dtype":"I64","shape":[1],"data_offsets":[8,16]},
      "int": {"dtype":"I32","shape":[1],"data_offsets":[16,20]},
      "byte": {"dtype":"U8","shape":[1],"data_offsets":[20,21]},
      "flag": {"dtype":"BOOL","shape":[1],"data_offsets":[21,22]},
      "small": {"dtype":"I8","shape":[1],"data_offsets":[22,23]},
      "short": {"dtype":"I16","shape":[1],"data_offsets":[23,25]},
      "double": {"dtype":"F64","shape":[1],"data_offsets":[25,33]}}
      """
    // bf16 1 and -2.5, f16 1.5 and -0.000061035, then -3, 70000, 200, true, -2, -300 and 0.5.
    try write(
      TensorFile.bytes(
        header,
        [0x80, 0x3F, 0x20, 0xC0, 0x00, 0x3E, 0x00, 0x84]
          + [0xFD, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF] + [0x70, 0x11, 0x01, 0x00, 200, 1]
          + [0xFE, 0xD4, 0xFE] + [0, 0, 0, 0, 0, 0, 0xE0, 0x3F]))
    let file = try Safetensors(path: path)
    #expect(file.entries.count == 9)
    for (name, numbers) in [
      "bf": [1, -2.5], "half": [1.5, -0x1p-14], "long": [-3], "int": [70_000], "byte": [200],
      "flag": [1], "small": [-2], "short": [-300], "double": [0.5],
    ] as [String: [Float]] {
      #expect(try file.tensor(name).numbers == numbers, "\(name)")
    }
    try write(Self.valid.bytes)
    let whole = try Safetensors(path: path)
    #expect(try whole.tensor("a").numbers.map(\.bitPattern)[4] == Float(-0.0).bitPattern)
    #expect(try whole.tensor("a").shape == [2, 3])
    #expect(try whole.tensor("scalar").numbers == [9])
    #expect(try whole.tensor("empty").count == 0)
    refuses(path, "\"c\"") { _ = try whole.tensor("c") }
  }

  @Test func missingFiles() throws {
    refuses(path, "cannot be opened", "check the path") { _ = try Safetensors(path: path) }
    refuses(scratch.path, "not a file") { _ = try Safetensors(path: scratch.path) }
    refuses("/dev/null", "not a file") { _ = try Safetensors(path: "/dev/null") }
    try refusesFile([], "empty")
  }

  /// Every shorter file is refused: none is read as if it were whole.
  @Test func truncatedFiles() throws {
    let bytes = Self.valid.bytes
    for count in 1..<bytes.count { try refusesFile(Array(bytes[..<count]), "not a valid") }
    try refusesFile(Array(bytes[..<7]), "7 bytes")
    try refusesFile(Array(bytes.dropLast()), "truncated")
  }

  @Test func badHeaders() throws {
    for length: UInt64 in [24, 1 << 31, 1 << 62, .max, UInt64(Int.max), 300_000_000] {
      let size = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
      try refusesFile(size + [UInt8](repeating: 32, count: 16), "header should have \(length)")
    }
    try refusesHeader("not json", "not JSON")
    try refusesHeader("", "not JSON")
    try refusesHeader("[1]", "not an object")
    try refusesHeader("{\"a\": 3}", "\"a\" lacks")
    try refusesHeader("{\"a\": {\"dtype\": \"F32\", \"shape\": [1]}}", "\"a\" lacks")
    try refusesHeader("{\"a\": {\"shape\": [1], \"data_offsets\": [0, 4]}}", "\"a\" lacks")
    let twice = "{\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]}"
    try refusesHeader("{\"a\": \(twice), \"a\": \(twice)}", "stands twice")
  }

  func entry(_ shape: String, _ offsets: String, type: String = "F32") -> String {
    "{\"dtype\": \"\(type)\", \"shape\": \(shape), \"data_offsets\": \(offsets)}"
  }

  @Test(arguments: [
    ("[1]", "[0, 20]", "truncated"), ("[1]", "[4, 0]", "offsets"), ("[1]", "[-4, 0]", "offsets"),
    ("[1]", "[0, 3]", "3 bytes"), ("[2]", "[0, 4]", "4 bytes"), ("[-1]", "[0, 4]", "shape of"),
    ("[-2, -2]", "[0, 16]", "shape of"), ("[1.5]", "[0, 4]", "shape"),
    ("[\"1\"]", "[0, 4]", "shape"),
    ("[9223372036854775807, 2]", "[0, 16]", "shape of"),
    ("[4611686018427387904, 4]", "[0, 0]", "shape"),
    ("[9223372036854775808]", "[0, 4]", "shape"), ("[1]", "[0, 9223372036854775807]", "truncated"),
    ("[1]", "[9223372036854775807, 9223372036854775807]", "truncated"),
    ("[1]", "[0]", "lacks"), ("[1]", "[0, 4, 8]", "lacks"), ("[1]", "[0, \"x\", 4]", "lacks"),
    ("[1]", "[0.5, 4.5]", "lacks"), ("1", "[0, 4]", "lacks"), ("[1]", "4", "lacks"),
    ("[1]", "[0, 1e300]", "lacks"), ("[1e300]", "[0, 4]", "shape"),
  ])
  func badEntries(_ shape: String, _ offsets: String, _ problem: String) throws {
    try refusesHeader("{\"a\": \(entry(shape, offsets))}", problem)
  }

  @Test func badTypes() throws {
    for type in ["F8_E4M3", "f32", "", "U32", "C64"] {
      try refusesHeader(
        "{\"a\": \(entry("[1]", "[0, 4]", type: type))}",
        "has type \(type); F64, F32, BF16, F16, I64, I32, I16, I8, U8, BOOL can be read")
    }
  }

  @Test func overlaps() throws {
    let (first, inside, tail) = (
      entry("[4]", "[0, 16]"), entry("[1]", "[4, 8]"), entry("[2]", "[8, 16]")
    )
    try refusesHeader("{\"a\": \(first), \"b\": \(inside)}", "overlap")
    try refusesHeader("{\"a\": \(first), \"b\": \(tail)}", "overlap")
    try refusesHeader("{\"a\": \(first), \"b\": \(first)}", "overlap")
    // An empty tensor between the two hides nothing.
    for empty in ["[0, 0]", "[4, 4]", "[8, 8]"] {
      let none = entry("[0]", empty)
      try refusesHeader("{\"a\": \(first), \"e\": \(none), \"z\": \(tail)}", "overlap")
    }
    try write(
      TensorFile.bytes(
        "{\"a\": \(entry("[2]", "[0, 8]")), \"e\": \(entry("[0]", "[4, 4]")), \"z\": \(tail)}",
        [UInt8](repeating: 0, count: 16)))
    #expect(try Safetensors(path: path).entries.count == 3)
  }

  /// Thousands of files with a few bytes changed, put in or left out.
  @Test func mutatedFiles() throws {
    let valid = Self.valid.bytes
    var random = Random(seed: 2024)
    var refused = 0
    for _ in 0..<3000 {
      try write(mutated(valid, &random))
      do {
        let file = try Safetensors(path: path)
        for name in file.entries.keys { _ = try file.tensor(name).numbers }
      } catch {
        #expect(error is CheckpointError && "\(error)".contains(path), "\(error)")
        refused += 1
      }
    }
    #expect(refused > 1000 && refused < 3000)
  }
}

/// One to four random changes: a bit, a byte, an insertion, a deletion, a cut.
func mutated(_ bytes: [UInt8], _ random: inout Random) -> [UInt8] {
  var out = bytes
  for _ in 0...random.below(4) where !out.isEmpty {
    let i = random.below(out.count)
    switch random.below(6) {
    case 0: out[i] ^= 1 << UInt8(random.below(8))
    case 1: out[i] = UInt8(random.below(256))
    case 2: out[i] = UInt8(ascii: "0") + UInt8(random.below(10))
    case 3: out.insert(UInt8(random.below(256)), at: i)
    case 4: out.removeSubrange(i..<min(i + 1 + random.below(9), out.count))
    default: if random.below(4) == 0 { out.removeSubrange(i...) }
    }
  }
  return out
}
