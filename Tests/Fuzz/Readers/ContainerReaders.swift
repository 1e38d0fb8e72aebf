// JSON texts, and the containers of weights: safetensors, PyTorch's archives and their pickles.

import JSON
import Speech

/// A text that is read is written, and read again as the same value.
func readJSONText(_ bytes: [UInt8]) throws {
  let value = try JSON(parsing: bytes, name: "text")
  for text in [value.text, value.compactText] {
    precondition(try! JSON(parsing: text, name: "again") == value, "written as \(text)")
  }
}

func readSafetensors(_ bytes: [UInt8]) throws {
  let path = "\(scratch)/m.safetensors"
  write(bytes, to: path)
  try readTensors(of: Safetensors(path: path), in: bytes.count)
}

func readTorchArchive(_ bytes: [UInt8]) throws {
  let path = "\(scratch)/m.pt"
  write(bytes, to: path)
  try readTensors(of: TorchFile(path: path), in: bytes.count)
}

/// The bytes as the pickle of an archive that holds two storages of 64 bytes.
func readPickle(_ bytes: [UInt8]) throws {
  let numbers = (0..<64).map { UInt8($0) }
  let archive = archive([
    ("archive/data.pkl", bytes), ("archive/data/0", numbers), ("archive/data/1", numbers),
  ])
  try readTorchArchive(archive)
}

func readCTranslate2(_ bytes: [UInt8]) throws {
  let path = "\(scratch)/m.bin"
  write(bytes, to: path)
  try readTensors(of: CTranslate2(path: path), in: bytes.count)
}

/// Reads every tensor. None holds more numbers than its file has bytes, or half bytes.
func readTensors(of file: any WeightFile, in bytes: Int) throws {
  for (name, entry) in file.entries {
    let tensor = try file.tensor(name)
    precondition(
      tensor.shape == entry.shape && tensor.count <= 2 * bytes, "\(name): \(tensor.shape)")
  }
}

/// A ZIP archive whose members are stored as they are.
private func archive(_ members: [(name: String, bytes: [UInt8])]) -> [UInt8] {
  func little(_ value: Int, _ width: Int) -> [UInt8] {
    (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
  var (out, directory) = ([UInt8](), [UInt8]())
  for (name, bytes) in members {
    let sizes = little(0, 4) + little(bytes.count, 4) + little(bytes.count, 4)
    let common = little(0, 6) + little(0, 4) + sizes + little(name.utf8.count, 2) + little(0, 2)
    directory += little(0x0201_4B50, 4) + little(0, 2) + common + little(0, 10)
    directory += little(out.count, 4) + Array(name.utf8)
    out += little(0x0403_4B50, 4) + common + Array(name.utf8) + bytes
  }
  let end = little(0x0605_4B50, 4) + little(0, 4) + little(members.count, 2)
  return out + directory + end + little(members.count, 2) + little(directory.count, 4)
    + little(out.count, 4) + little(0, 2)
}
