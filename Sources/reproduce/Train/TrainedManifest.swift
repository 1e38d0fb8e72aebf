// data-manifests/trained-models.json: the digests of checkpoints that are trained to be compared and not
// shipped, so that who trains them again can tell that they are the same.

import Foundation
import Interventions
import JSON
import Notebook

/// Lists those of a study; those of other studies stay listed.
func writeTrainedManifest(_ study: TrainingStudy, _ repository: Repository) throws {
  let path = "data-manifests/\(TrainedManifest.file)"
  let earlier = try TrainedManifest.entries(root: repository.root.path)
    .filter { $0["study"]?.string != study.rawValue }
  let own = try study.recipes.map { recipe -> JSON in
    let folder = repository.url(recipe.folder).path
    return [
      "name": .string(recipe.name), "study": .string(study.rawValue),
      "seed": .integer(Int(recipe.seed)), "oneOf": .integer(recipe.oneOf),
      "folderDigest": .string("\(try Digest(ofCheckpoint: folder))"),
      "weightsSha256": .string("\(try Digest(ofFile: "\(folder)/model.safetensors"))"),
    ]
  }
  try repository.write(
    [
      "@context": ["@vocab": "https://schema.org/"], "@type": "Dataset",
      "name": "checkpoints-trained-to-be-compared",
      "description": .string(
        "Checkpoints that `make models-seeds` and `make models-efficiency` train, bit for bit, from the "
          + "corpus that the shipped ones are trained from. They are not stored; what was measured of them is "
          + "in figures."),
      "license": "MIT", "models": .array(earlier + own),
    ], manifest: TrainedManifest.file)
  print("written       \(path)")
}

enum TrainedManifest {
  static let file = "trained-models.json"

  /// What is listed; nothing where no study was trained.
  static func entries(root: String) throws -> [JSON] {
    let path = "\(root)/data-manifests/\(file)"
    guard let data = FileManager.default.contents(atPath: path) else { return [] }
    return try JSON(parsing: [UInt8](data), name: path).array("models")
  }
}
