// Parts of the status schemas. They limit the size of texts, not their values, so that an older CRD in the cluster does not
// reject the report of a newer agent.
import * as Type from "typebox";

export const MAX_MESSAGE = 1024;
export const MAX_REASON = 64;

const INT32_MAX = 2_147_483_647;

export const boundedText = (description: string, maxLength: number) => Type.String({ description, maxLength });
export const objectName = (description: string) => boundedText(description, 253);
export const uid = (description: string) => boundedText(description, 64);
export const time = (description: string) => Type.String({ description, format: "date-time", maxLength: 64 });
export const reason = () => boundedText("Reason, one CamelCase word for programs.", MAX_REASON);
export const message = () => boundedText("Explanation for people. It contains no secret.", MAX_MESSAGE);
export const count = (description: string) => Type.Integer({ description, minimum: 0, maximum: INT32_MAX });
export const generation = (description: string) => Type.Integer({ description, minimum: 0, format: "int64" });
