// PyTorch's archives: what torch.save wrote is read number by number, and nothing that would have to
// be run is. The files are those of Tests/Peers/make_torch_fixtures.py.

import Foundation
import Speech
import Tensor
import Testing

@Suite struct TorchFileTests {
  let scratch: Scratch
  let path: String

  init() throws {
    scratch = try Scratch()
    path = "\(scratch.path)/m.pt"
  }

  func refusesFile(
    _ bytes: [UInt8], _ problem: String, at location: SourceLocation = #_sourceLocation
  ) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    let error = #expect(throws: CheckpointError.self, sourceLocation: location) {
      _ = try TorchFile(path: path)
    }
    guard let error else { return }
    #expect("\(error)".hasPrefix("\(path): "), "\(error)", sourceLocation: location)
    #expect("\(error)".contains(problem), "\(error)", sourceLocation: location)
    #expect("\(error)".lowercased().contains("again"), "\(error)", sourceLocation: location)
  }

  static func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: stored("torch/\(name)"))))
  }

  @Test func readsEveryTensor() throws {
    let file = try TorchFile(path: stored("torch/many.pt"))
    let expected: [String: (shape: [Int], numbers: [Float])] = [
      "rising": ([2, 3], [0, 1, 2, 3, 4, 5]), "turned": ([3, 2], [0, 3, 1, 4, 2, 5]),
      "every_second": ([3], [2, 4, 6]), "half": ([2], [1.5, -0.25]), "brain": ([2], [1, -2.5]),
      "double": ([1], [0.5]), "long": ([1], [-3]), "flags": ([2], [1, 0]), "parameter": ([1], [7]),
      "scalar": ([], [9]), "empty": ([0, 4], []), "layer.bias": ([1], [4]),
    ]
    #expect(file.entries.keys.sorted() == expected.keys.sorted())
    for (name, tensor) in expected {
      let read = try file.tensor(name)
      #expect(read.shape == tensor.shape && read.numbers == tensor.numbers, "\(name)")
    }
  }

  @Test func refusesWhatItWouldHaveToRun() throws {
    try refusesFile(try Self.bytes("stranger.pt"), "__main__.Stranger, which is refused")
    try refusesFile(try Self.bytes("old.pt"), "older than PyTorch 1.6")
    try refusesFile(try Self.bytes("expanded.pt"), "\"w\" repeats its numbers")
    try refusesFile([], "empty")
  }

  /// Every shorter file is refused: none is read as if it were whole.
  @Test func truncatedFiles() throws {
    let bytes = try Self.bytes("many.pt")
    for count in stride(from: 1, to: bytes.count, by: 7) {
      try refusesFile(Array(bytes[..<count]), "not a")
    }
  }

  /// Hundreds of files with a few bytes changed, put in or left out.
  @Test func mutatedFiles() throws {
    let valid = try Self.bytes("many.pt")
    var random = Random(seed: 2025)
    var refused = 0
    for _ in 0..<800 {
      try Data(mutated(valid, &random)).write(to: URL(fileURLWithPath: path))
      do {
        let file = try TorchFile(path: path)
        for name in file.entries.keys { _ = try file.tensor(name).numbers }
      } catch {
        #expect(error is CheckpointError && "\(error)".contains(path), "\(error)")
        refused += 1
      }
    }
    #expect(refused > 200 && refused < 800)
  }
}
