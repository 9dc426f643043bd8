// A client as a customer would write it: nothing but the types generated from docs/openapi.json. It is
// compiled, not run; what must not compile is at the end.

import createClient from "openapi-fetch";
import type { components, paths } from "./api";

type ContactIn = NonNullable<paths["/v1/contacts"]["post"]["requestBody"]>["content"]["application/json"];
type Contacts = paths["/v1/contacts"]["get"]["responses"]["200"]["content"]["application/json"];
type Contact = Contacts["data"][number];
type Problem = components["schemas"]["Problem"];
type GatewayMessage = components["schemas"]["GatewayMessage"];

/** What was refused. `code` is the stable part: programs decide by it. The gateway itself gives none. */
export class Refused extends Error {
  readonly code: Problem["code"] | undefined;

  constructor(error: Problem | GatewayMessage) {
    const refused = "code" in error;
    super(refused ? `${error.title} (${error.code}, request ${error.request_id})` : (error.message ?? "refused"));
    this.code = refused ? error.code : undefined;
  }
}

export async function signIn(baseUrl: string, email: string, password: string) {
  const api = createClient<paths>({ baseUrl });
  const { data, error } = await api.POST("/v1/auth/login", { body: { email, password } });
  if (error) throw new Refused(error);
  const [workspace] = data.workspaces;
  if (!workspace) throw new Error("the user has no workspace");
  return new Shop(baseUrl, data.token, workspace.id);
}

export class Shop {
  readonly api: ReturnType<typeof createClient<paths>>;
  readonly header: { "X-Workspace": string };

  constructor(baseUrl: string, token: string, workspace: string) {
    this.api = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });
    this.header = { "X-Workspace": workspace };
  }

  /** The key makes a repeated call safe: the same answer, no second contact. */
  async save(contact: ContactIn, key: string): Promise<Contact> {
    const { data, error } = await this.api.POST("/v1/contacts", {
      params: { header: { ...this.header, "Idempotency-Key": key } },
      body: contact,
    });
    if (error) throw new Refused(error);
    return data;
  }

  /** Every contact that matches, page by page; `next` is null on the last one. */
  async *search(query: string): AsyncGenerator<Contact> {
    let cursor: string | undefined;
    do {
      const { data, error } = await this.api.GET("/v1/contacts", {
        params: { header: this.header, query: { query, limit: 100, cursor } },
      });
      if (error) throw new Refused(error);
      yield* data.data;
      cursor = data.next ?? undefined;
    } while (cursor !== undefined);
  }

  async campaigns() {
    const { data, error } = await this.api.GET("/v1/campaigns", { params: { header: this.header } });
    if (error) throw new Refused(error);
    return data.data;
  }
}

/** Saves, and tells what was refused as invalid from what is worth an alarm. */
export async function saveOrExplain(shop: Shop, contact: ContactIn, key: string): Promise<string> {
  try {
    return (await shop.save(contact, key)).id;
  } catch (error) {
    if (error instanceof Refused && error.code === "invalid") return error.message;
    throw error;
  }
}

// What the document forbids must not compile: without these a document of `any`s would pass.
export async function mistakes(shop: Shop, problem: Problem, page: Contacts) {
  const { api, header } = shop;
  const params = { header };

  // @ts-expect-error there is no such path
  await api.GET("/v1/contact", { params });

  // @ts-expect-error a contact is not deleted through the collection
  await api.DELETE("/v1/contacts", { params });

  // @ts-expect-error the password is missing
  await api.POST("/v1/auth/login", { body: { email: "an.tran@example.vn" } });

  // @ts-expect-error the field is `full_name` (openapi-fetch itself infers the body's type and lets it pass)
  await shop.save({ email: "an.tran@example.vn", fullname: "Trần Thị An" }, "key");

  // @ts-expect-error only the mail provider says that an address bounces
  await api.POST("/v1/contacts", { params, body: { email: "an.tran@example.vn", email_status: "bounced" } });

  // @ts-expect-error the page's size is a number
  await api.GET("/v1/contacts", { params: { header, query: { limit: "all" } } });

  // @ts-expect-error there is no such code
  if (problem.code === "contact_is_sad") return;

  // @ts-expect-error the last page has no cursor
  const next: string = page.next;
  return next;
}
