// Where results are written, looked at before anything runs.

import Foundation
import Interventions

/// Refuses what cannot be written to and what would cost the reader something: a folder, a device, a file that
/// the command reads, one file for two results, and a file among those of the model, whose digest is of all of
/// them.
///
/// - Parameters:
///   - outputs: the option and the path of each; nil and empty where it is not given
///   - inputs: files that the command reads
///   - model: the checkpoint's folder
func checkOutputs(
  _ outputs: [(option: String, path: String?)], apartFrom inputs: [String?], model: String? = nil
) throws {
  let given = outputs.compactMap { output in
    output.path.flatMap { $0.isEmpty ? nil : (option: output.option, path: $0) }
  }
  let read = Set(inputs.compactMap { $0 }.map(place(of:)))
  var taken: [String: String] = [:]
  for (option, path) in given {
    let target = place(of: path)
    var isFolder: ObjCBool = false
    if path.hasSuffix("/")
      || FileManager.default.fileExists(atPath: target, isDirectory: &isFolder)
        && isFolder.boolValue
    {
      throw CellError(
        "\(option) \(path): is a folder; name a file, as in \((path as NSString).appendingPathComponent("result"))"
      )
    }
    if let kind = try? FileManager.default.attributesOfItem(atPath: target)[.type]
      as? FileAttributeType,
      kind != .typeRegular
    {
      if kind == .typeSymbolicLink {
        throw CellError(
          "\(option) \(path): is a link that leads to no file; remove it, or name another")
      }
      throw CellError("\(option) \(path): is no plain file; name another")
    }
    if path.contains(where: \.isNewline) {
      throw CellError("\(option): the name has a line break; name another file")
    }
    if read.contains(target) {
      throw CellError(
        "\(option) \(path): is read by this command, which would replace it; name another file")
    }
    if let other = taken.updateValue(option, forKey: target) {
      throw CellError("\(option) \(path): is the file of \(other), too; name another")
    }
    if let model, (target as NSString).deletingLastPathComponent == place(of: model) {
      throw CellError(
        "\(option) \(path): lies in the model's folder, whose files are what its digest is of; name a file "
          + "elsewhere")
    }
  }
}
